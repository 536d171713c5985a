package policy2

import (
	"slices"
	"strings"

	"gestor.local/contract"
)

// Matches says whether the selector matches: false where any of its keys does not, else unknown where one of them reads what
// is unknown. images is the policy's map of classes. A selector without any key, which no valid document has, is unknown: it
// neither owns anybody nor leaves anybody without protection.
func (s *Selector) Matches(id *Identity, images map[string]contract.Class) Truth {
	if s.isEmpty() {
		return Unknown
	}
	return allOf(
		s.matchesLabels(id),
		s.matchesNetwork(id),
		ifWritten(s.Image, func() Truth { return matchesImage(s.Image, id.Image) }),
		ifWritten(s.Name, func() Truth { return matchesName(s.Name, id.Name) }),
		ifWritten(s.Project, func() Truth { return truthOf(matchesProject(s.Project, id.Project())) }),
		s.matchesClass(id, images),
		s.matchesSocket(id),
	)
}

// MatchesAny says whether any of the selectors matches; nil, which is a rule without match, matches everybody.
func (p *Policy) MatchesAny(list []Selector, id *Identity) Truth {
	if list == nil {
		return True
	}

	any := False // until one matches, or may
	for i := range list {
		switch list[i].Matches(id, p.Images) {
		case True:
			return True
		case Unknown:
			any = Unknown
		}
	}
	return any
}

// Owns says whether the policy may touch the container, and by which selector of Own: the first that surely matches. It errs
// on the host's side: a selector that reads what is unknown does not own.
//
// Whatever is written it owns no container with a role in any suite of Gestor, none of the compose project that the suite's
// own containers belong to, and none that mounts the engine's socket, or may, unless the selector says socket. A selector that
// reads the label gestor.managed also asks for this suite's gestor.suite.
func (p *Policy) Owns(id *Identity, suite Suite) (selector int, ok bool) {
	if partOfGestor(id, suite) != "" {
		return 0, false
	}

	noSocket := id.Socket.Known && !id.Socket.Value
	ofSuite := suite.Name == "" || id.Labels[contract.LabelSuite] == suite.Name
	for i := range p.Own {
		s := &p.Own[i]
		if (noSocket || s.Socket) && (ofSuite || !s.asksManaged()) && s.Matches(id, p.Images) == True {
			return i, true
		}
	}
	return 0, false
}

// OwnsManaged says whether any selector of Own reads the label by which Gestor marks what it starts: what is own then is a question of
// the suite, see Owns.
func (p *Policy) OwnsManaged() bool {
	return slices.ContainsFunc(p.Own, func(s Selector) bool { return s.asksManaged() })
}

// asksManaged says whether the selector reads the label by which Gestor marks what it starts.
func (s *Selector) asksManaged() bool {
	isManaged := func(l Label) bool { return l.Key == contract.LabelManaged }
	return s.Label != nil && isManaged(*s.Label) || slices.ContainsFunc(s.Labels, isManaged)
}

// Protection says what protects a container.
type Protection struct {
	// Selector is the index in Policy.Protect, -1 where BuiltIn says it.
	Selector int
	BuiltIn  string // one of the BuiltIn constants, "" where a selector protects
}

// What is protected whatever the policy says.
const (
	BuiltInSuite   = "suite"   // it is one of the suite's own containers
	BuiltInRole    = "role"    // it has a role in a suite of Gestor
	BuiltInProject = "project" // it is of the compose project that the suite's own containers belong to
)

// Protects says whether the container is protected, and by what: a built-in protection, else the first selector of Protect that
// matches or may match. It errs on the container's side: what is unknown is protected, a project needs no hash, an image glob
// without slash also fits the last part of the path, and a name is each that it ever had, any of one that had more than are
// remembered.
func (p *Policy) Protects(id *Identity, suite Suite) (by Protection, ok bool) {
	if reason := partOfGestor(id, suite); reason != "" {
		return Protection{Selector: -1, BuiltIn: reason}, true
	}
	for i := range p.Protect {
		if p.Protect[i].Protects(id, p.Images) {
			return Protection{Selector: i}, true
		}
	}
	return Protection{}, false
}

// Protects says whether the selector, of Protect, protects the container, as Policy.Protects asks it. images is the policy's map of
// classes.
func (s *Selector) Protects(id *Identity, images map[string]contract.Class) bool {
	return s.isEmpty() || allOf(
		s.matchesLabels(id),
		s.matchesNetwork(id),
		ifWritten(s.Image, func() Truth { return protectsImage(s.Image, id.Image) }),
		ifWritten(s.Name, func() Truth {
			if slices.ContainsFunc(id.PastNames, func(name string) bool { return matchesAnyGlob(s.Name, name) }) {
				return True
			}
			if len(id.PastNames) >= MostPastNames {
				return Unknown
			}
			return matchesName(s.Name, id.Name)
		}),
		ifWritten(s.Project, func() Truth { return truthOf(matchesProject(s.Project, id.Labels[contract.LabelProject])) }),
		s.matchesClass(id, images),
		s.matchesSocket(id),
	) != False
}

// partOfGestor says as what the container belongs to Gestor itself, "" where it does not.
func partOfGestor(id *Identity, suite Suite) string {
	_, hasRole := id.Labels[contract.LabelRole]
	switch {
	case slices.Contains(suite.IDs, id.ID):
		return BuiltInSuite
	case hasRole:
		return BuiltInRole
	case suite.Project != "" && id.Project() == suite.Project:
		return BuiltInProject
	default:
		return ""
	}
}

// RuleName is the name of a rule by its index, "" for none.
func (p *Policy) RuleName(i int) string {
	if i < 0 || i >= len(p.Rules) {
		return ""
	}
	return p.Rules[i].Name
}

// ClassOf is the container's class: its label's, else what Images says of its image. False is one that has none, which is also
// one whose label is no word for a class; unknown is one of whom Images would have to know the image's name.
func (p *Policy) ClassOf(id *Identity) (contract.Class, Truth) { return classOf(id, p.Images) }

func classOf(id *Identity, images map[string]contract.Class) (contract.Class, Truth) {
	if label, ok := id.Labels[contract.LabelClass]; ok {
		if !IsClass(label) {
			return "", False
		}
		return contract.Class(label), True
	}

	if len(images) == 0 {
		return "", False
	}

	if IsImageID(id.Image) {
		return "", Unknown
	}
	class := classOfImage(images, id.Image)
	return class, truthOf(class != "")
}

// maxClass is how long a class may be, in bytes.
const maxClass = 32

// IsClass says whether the word may stand for a class: a-z, 0-9 and -, at most 32 of them.
func IsClass(word string) bool {
	return word != "" && len(word) <= maxClass && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Values are the values of the selector's keys, as people speak of it: redis*, or preview.branch=main.
func (s Selector) Values() string {
	_, values := s.keyValues()
	return strings.Join(slices.Concat(values...), ", ")
}

// isEmpty says that it has no key.
func (s *Selector) isEmpty() bool {
	return s.Label == nil && !s.Socket &&
		len(s.Labels)+len(s.Network)+len(s.Image)+len(s.Name)+len(s.Project)+len(s.Class) == 0
}

// matchesLabels asks for label and for all of labels.
func (s *Selector) matchesLabels(id *Identity) Truth {
	all := True
	if s.Label != nil {
		all = s.Label.matches(id)
	}
	for _, l := range s.Labels {
		all = allOf(all, l.matches(id))
	}
	return all
}

func (l Label) matches(id *Identity) Truth {
	value, ok := id.Labels[l.Key]
	if ok && !l.Any && id.Withholds(l.Key) {
		return Unknown
	}
	return truthOf(ok && (l.Any || MatchesGlob(l.Value, value)))
}

func (s *Selector) matchesNetwork(id *Identity) Truth {
	switch {
	case len(s.Network) == 0:
		return True
	case !id.Networks.Known:
		return Unknown
	default:
		return truthOf(slices.ContainsFunc(id.Networks.Value, func(name string) bool { return matchesAnyGlob(s.Network, name) }))
	}
}

// matchesName: a container without a name is one of whom the engine did not tell it.
func matchesName(globs []string, name string) Truth {
	if name == "" {
		return Unknown
	}
	return truthOf(matchesAnyGlob(globs, name))
}

// matchesProject: one without a project is of none, whatever the glob.
func matchesProject(globs []string, project string) bool {
	return project != "" && matchesAnyGlob(globs, project)
}

func (s *Selector) matchesClass(id *Identity, images map[string]contract.Class) Truth {
	if len(s.Class) == 0 {
		return True
	}
	class, truth := classOf(id, images)
	if truth != True {
		return truth
	}
	return truthOf(slices.Contains(s.Class, class))
}

func (s *Selector) matchesSocket(id *Identity) Truth {
	switch {
	case !s.Socket:
		return True
	case !id.Socket.Known:
		return Unknown
	default:
		return truthOf(id.Socket.Value)
	}
}

// ifWritten asks only for keys that the selector has: without one, everybody matches.
func ifWritten(globs []string, ask func() Truth) Truth {
	if len(globs) == 0 {
		return True
	}
	return ask()
}

func truthOf(yes bool) Truth {
	if yes {
		return True
	}
	return False
}

// allOf is false where any of the answers is, else unknown where any is.
func allOf(answers ...Truth) Truth {
	all := True
	for _, a := range answers {
		switch a {
		case False:
			return False
		case Unknown:
			all = Unknown
		}
	}
	return all
}
