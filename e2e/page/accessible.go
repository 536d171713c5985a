package page

// checkAccessibility checks what a reader who does not see, or has no mouse, needs of every chart.
func (b *tab) checkAccessibility() {
	b.t.Helper()
	for _, c := range []struct{ what, wrong string }{
		{"every chart is named and described", "[...document.querySelectorAll('.plot')].filter((e) => !document.getElementById(e.getAttribute('aria-labelledby')) || !document.getElementById(e.getAttribute('aria-describedby')).textContent)"},
		{"every chart can be focused", "[...document.querySelectorAll('.plot')].filter((e) => e.tabIndex !== 0)"},
		{"every chart has a table", "(document.querySelectorAll('details.data').forEach((d) => { d.open = true; d.ontoggle(); }), [...document.querySelectorAll('details.data')].filter((d) => !d.querySelector('tbody td')))"},
		{"every control is named", "[...document.querySelectorAll('button, select, input, a')].filter((e) => !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label')))"},
		{"every picture has a text", "[...document.querySelectorAll('img')].filter((e) => !e.hasAttribute('alt'))"},
		{"every header cell heads something", "[...document.querySelectorAll('th')].filter((e) => !e.textContent.trim())"},
		{"one first heading", "[...document.querySelectorAll('h1')].slice(1)"},
		{"ids are unique", "[...document.querySelectorAll('[id]')].filter((e) => document.querySelectorAll('#' + CSS.escape(e.id)).length > 1)"},
	} {
		if got := eval[[]string](b, c.wrong+".map((e) => e.outerHTML.slice(0, 120))"); len(got) > 0 {
			b.t.Errorf("%s: %q", c.what, got)
		}
	}
}
