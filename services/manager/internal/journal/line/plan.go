package line

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"gestor.local/manager/internal/rules"
)

// hashDigits of the SHA-256 tell one plan from another; they are no proof against a forger.
const hashDigits = 16

// compactForm begins a hash that is of the plan in the second form (appendCompact); one without is of the plan's JSON, as lines had it
// before.
const compactForm = "2."

// PlanHash names a plan: "2." and the first 16 hexadecimal digits of the SHA-256 of its second form.
func PlanHash(p *rules.Plan) string {
	var h planHasher
	return string(h.hash(p))
}

// IsHashOf says whether a line's hash is that of the plan, in the form that the hash itself names.
func IsHashOf(hash string, p *rules.Plan) bool {
	if strings.HasPrefix(hash, compactForm) {
		return hash == PlanHash(p)
	}
	sum := sha256.Sum256(AppendPlan(nil, p))
	return hash == hex.EncodeToString(sum[:])[:hashDigits]
}

// planHasher makes the hash of one plan after the other without allocating.
type planHasher struct {
	sum    hash.Hash
	text   []byte // of the last plan
	digest []byte
	digits [len(compactForm) + 2*sha256.Size]byte
}

// hash is valid until the next call.
func (h *planHasher) hash(p *rules.Plan) []byte {
	if h.sum == nil {
		h.sum = sha256.New()
	}
	h.sum.Reset()
	h.text = appendCompact(h.text[:0], p)
	h.sum.Write(h.text)
	h.digest = h.sum.Sum(h.digest[:0])

	form := copy(h.digits[:], compactForm)
	hex.Encode(h.digits[form:], h.digest)
	return h.digits[:form+hashDigits]
}

// object writes the members of a JSON object.
type object struct {
	text  []byte
	begun bool // it has a member
}

func (o *object) key(key string) {
	if o.begun {
		o.text = append(o.text, ',')
	}
	o.begun = true
	o.text = append(o.text, '"')
	o.text = append(o.text, key...)
	o.text = append(o.text, `":`...)
}

// open begins an object as a value, or as an entry of a list; the outer one goes on when it is closed.
func (o *object) open() {
	o.text = append(o.text, '{')
	o.begun = false
}

func (o *object) close() {
	o.text = append(o.text, '}')
	o.begun = true
}

// entry begins the i-th object of a list.
func (o *object) entry(i int) {
	if i > 0 {
		o.text = append(o.text, ',')
	}
	o.open()
}

func (o *object) list(key string) {
	o.key(key)
	o.text = append(o.text, '[')
}

func (o *object) endList() {
	o.text = append(o.text, ']')
	o.begun = true
}

func (o *object) string(key, value string) {
	o.key(key)
	o.text = appendText(o.text, value)
}

func (o *object) int(key string, value int64) {
	o.key(key)
	o.text = appendInt(o.text, value)
}

func (o *object) uint(key string, value uint64) {
	o.key(key)
	o.text = appendUint(o.text, value)
}

func (o *object) bool(key string, value bool) {
	o.key(key)
	o.text = appendBool(o.text, value)
}

// The following leave out what is empty.

func (o *object) someString(key, value string) {
	if value != "" {
		o.string(key, value)
	}
}

func (o *object) someInt(key string, value int64) {
	if value != 0 {
		o.int(key, value)
	}
}

func (o *object) someStrings(key string, list []string) {
	if len(list) > 0 {
		o.key(key)
		o.text = appendTexts(o.text, list)
	}
}

// AppendPlan writes a plan as encoding/json does, byte for byte.
func AppendPlan(to []byte, p *rules.Plan) []byte {
	o := object{text: to}
	o.open()
	o.int("v", int64(p.V))
	o.uint("tick", p.Tick)
	o.uint("sequence", p.Sequence)

	o.string("policy_hash", p.PolicyHash)
	o.string("mode", string(p.Mode))
	o.someString("held", p.Held)
	o.int("own", int64(p.Own))
	o.int("living", int64(p.Living))
	o.int("wanted", int64(p.Wanted))

	o.ruleCounts(p.Rules)
	o.groupCounts(p.Groups)
	o.verdicts(p.Verdicts)
	o.notices(p.Notices)
	o.limits(p.GiveBack)
	o.someStrings("changed", p.Changed)
	o.close()
	return o.text
}

func (o *object) ruleCounts(list []rules.RuleCount) {
	if list == nil {
		o.key("rules")
		o.text = append(o.text, "null"...)
		return
	}

	o.list("rules")
	for i := range list {
		r := &list[i]
		o.entry(i)
		o.string("name", r.Name)
		o.string("hash", r.Hash)
		o.int("speaks_of", int64(r.SpeaksOf))

		o.int("holds", int64(r.Holds))
		o.int("possible", int64(r.Possible))
		o.int("capped", int64(r.Capped))
		o.close()
	}

	o.endList()
}

func (o *object) groupCounts(list []rules.GroupCount) {
	if len(list) == 0 {
		return
	}

	o.list("groups")
	for i := range list {
		g := &list[i]
		o.entry(i)
		o.int("rule", int64(g.Rule))
		o.string("group", g.Group)

		o.int("places", int64(g.Places))
		o.int("held", int64(g.Held))
		o.int("over", int64(g.Over))
		o.int("young", int64(g.Young))
		o.close()
	}

	o.endList()
}

func (o *object) verdicts(list []rules.Verdict) {
	if list == nil {
		o.key("verdicts")
		o.text = append(o.text, "null"...)
		return
	}

	o.list("verdicts")
	for i := range list {
		o.entry(i)
		o.verdict(&list[i])
		o.close()
	}

	o.endList()
}

func (o *object) verdict(v *rules.Verdict) {
	o.string("id", v.ID)
	o.someString("name", v.Name)
	o.someString("image", v.Image)
	o.someString("project", v.Project)
	o.string("standing", v.Standing)
	o.int("rule", int64(v.Rule))
	o.string("step", string(v.Step))
	o.string("reason", v.Reason)
	o.someInt("step_index", int64(v.StepIndex))
	o.someInt("steps", int64(v.Steps))

	if len(v.Doubt) > 0 {
		o.key("doubt")
		for i, rule := range v.Doubt {
			o.text = append(o.text, "[,"[min(i, 1)])
			o.text = appendInt(o.text, rule)
		}
		o.text = append(o.text, ']')
	}

	o.passing(v.Passing)
	o.readings(v.Read)

	// Where it stands among those that compete.
	o.someInt("rank", int64(v.Rank))
	o.someInt("cut", int64(v.Cut))
	o.someString("group", v.Group)
	if n := v.Neighbour; n != nil {
		o.key("neighbour")
		o.open()
		o.string("id", n.ID)
		o.someString("name", n.Name)
		o.int("rank", int64(n.Rank))
		o.close()
	}

	o.someString("deciding_key", v.DecidingKey)

	o.someString("guard", v.Guard)
	o.someString("by", v.By)
	o.someStrings("after", v.After)
	o.someStrings("circle", v.Circle)
	o.someInt("nano_cpus", v.NanoCPUs)
	o.oldLimit(v.OldNanoCPUs)
	o.someString("started_at", v.StartedAt)
	o.next(v.Next)
}

func (o *object) passing(list []rules.Passing) {
	if len(list) == 0 {
		return
	}

	o.list("passing")
	for i := range list {
		p := &list[i]
		o.entry(i)
		o.int("rule", int64(p.Rule))
		o.string("step", string(p.Step))
		o.string("reason", p.Reason)
		o.someInt("step_index", int64(p.StepIndex))
		o.someInt("steps", int64(p.Steps))

		o.someInt("nano_cpus", p.NanoCPUs)
		o.oldLimit(p.OldNanoCPUs)
		o.someString("guard", p.Guard)
		o.next(p.Next)
		o.close()
	}

	o.endList()
}

func (o *object) readings(list []rules.Reading) {
	if len(list) == 0 {
		return
	}

	o.list("facts")
	for i := range list {
		r := &list[i]
		o.entry(i)
		o.string("key", r.Key)
		o.int("value", r.Value)
		o.bool("known", r.Known)
		o.int("needs", r.Needs)
		o.close()
	}

	o.endList()
}

func (o *object) oldLimit(nano *int64) {
	if nano != nil {
		o.int("old_nano_cpus", *nano)
	}
}

func (o *object) next(n *rules.Next) {
	if n == nil {
		return
	}
	o.key("next")
	o.open()
	o.string("step", string(n.Step))
	o.int("at_us", n.GUS)
	o.int("rule", int64(n.Rule))
	o.close()
}

func (o *object) notices(list []rules.Notice) {
	if len(list) == 0 {
		return
	}

	o.list("notices")
	for i := range list {
		n := &list[i]
		o.entry(i)
		o.string("kind", string(n.Kind))
		o.int("rule", int64(n.Rule))
		o.someString("hash", n.Hash)
		o.someInt("step_index", int64(n.StepIndex))

		o.someString("project", n.Project)
		o.someStrings("containers", n.Containers)
		o.someString("guard", n.Guard)
		o.next(n.Next)
		o.int("since_us", n.SinceGUS)
		o.close()
	}

	o.endList()
}

func (o *object) limits(list []rules.GiveBack) {
	if len(list) == 0 {
		return
	}

	o.list("give_back")
	for i := range list {
		g := &list[i]
		o.entry(i)
		o.string("id", g.ID)
		o.string("rule", g.Rule)
		o.int("nano_cpus", g.NanoCPUs)
		o.string("why", g.Why)
		o.close()
	}

	o.endList()
}
