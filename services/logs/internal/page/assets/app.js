'use strict';
// The page of Gestor. Data come as JSON and are shown with textContent and canvas text only: no name, label or command
// line ever becomes markup. The upper part comes as HTML that the service has escaped.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const lastTime = 8.64e15; // ms: no Date is later, and the text of one that is would be an exception
  const body = document.body, root = document.documentElement;
  const kind = body.dataset.page;
  const page = new URL(location.href);
  const state = {
    theme: stored('theme') || 'auto',
    live: kind === 'main' ? stored('live') !== 'off' : kind === 'life',
    zoom: zoomOf(page.searchParams.get('zoom')), // [from, to] in ms, or null
    preset: null, // the sliding range to go back to
    last: false, // whether any observation is known
    link: 'wait', // of the event stream: wait, open, lost
    away: false, // the last question for the present failed
  };
  const charts = new Map(); // name → {section, plot, view, doc, text, drawn, visible, hidden}

  function stored(key) { try { return localStorage.getItem('gestor.' + key); } catch { return null; } }
  function store(key, value) { try { localStorage.setItem('gestor.' + key, value); } catch { /* private mode */ } }
  function element(tag, className, text) {
    const e = document.createElement(tag);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  }

  function zoomOf(text) {
    const parts = (text || '').split('-').map(Number);
    const times = parts.length === 2 && parts.every((ms) => Math.abs(ms) <= lastTime);
    return times && parts[0] < parts[1] ? parts : null;
  }

  const utc = (ms) => new Date(ms).toISOString().replace('T', ' ').slice(0, 19);

  // Theme.
  const system = matchMedia('(prefers-color-scheme: dark)');
  const file = location.protocol === 'file:';
  const chosen = () => {
    if (kind === 'chart' && !page.searchParams.has('theme')) return root.dataset.theme; // as it was drawn
    return page.searchParams.get('theme') || state.theme;
  };
  function theme() { const t = chosen(); return t === 'light' || t === 'dark' ? t : system.matches ? 'dark' : 'light'; }
  function applyTheme() {
    root.dataset.theme = theme();
    const button = $('#theme');
    if (button) button.textContent = 'Theme: ' + chosen();
  }

  applyTheme();

  // Formatting. The option has the numbers, the hints have the units.
  function number(v) {
    if (v === null || v === undefined || Number.isNaN(v)) return '–';
    const a = Math.abs(v);
    return v.toFixed(a === Math.trunc(a) || a >= 100 ? 0 : a >= 10 ? 1 : 2);
  }

  const value = (v, hint) => number(v) + (hint && hint.suffix ? (hint.suffix === '/s' ? '' : ' ') + hint.suffix : '');

  function tipRow(color, name, text) {
    const row = element('p'), left = element('span'), swatch = element('span', 'sw');
    swatch.style.background = color;
    left.append(swatch, name);
    row.append(left, element('em', '', text));
    return row;
  }

  const rowsInTip = 8;
  // seriesOf is the series that a tooltip is about, undefined when it has gone under the pointer.
  const seriesOf = (doc, p) => doc.option.series.find((s) => s.id === p.seriesId);
  function axisTip(doc, params) {
    const box = element('div', 'tip');
    if (!params.length) return box;
    box.append(element('b', '', doc.panes[0].kind === 'time' ? utc(params[0].axisValue) + ' UTC' : String(params[0].axisValueLabel)));

    const panes = new Map();
    for (const p of params) {
      const v = p.value;
      if (!Array.isArray(v) || v[1] === null) continue;
      const s = seriesOf(doc, p), i = s ? s.xAxisIndex || 0 : -1;
      if (i < 0) continue;
      if (!panes.has(i)) panes.set(i, []);
      panes.get(i).push(p);
    }

    for (const [i, list] of [...panes].sort((a, b) => a[0] - b[0])) {
      const hint = doc.panes[i];
      if (doc.panes.length > 1) box.append(element('i', '', hint.title));
      if (list.length > rowsInTip) list.sort((a, b) => Math.abs(b.value[1]) - Math.abs(a.value[1]));

      for (const p of list.slice(0, rowsInTip)) {
        const v = p.value;
        let text = v.find((x) => typeof x === 'string' && x) || value(v[1], hint);
        if (typeof v[3] === 'number') text += '  (' + number(v[2]) + '–' + number(v[3]) + ')';
        box.append(tipRow(p.color, p.seriesName, text));
      }
      if (list.length > rowsInTip) box.append(element('i', '', 'and ' + (list.length - rowsInTip) + ' less'));
    }
    return box;
  }

  function itemTip(doc, p) {
    const box = element('div', 'tip');
    if (p.componentType !== 'series') return box; // a band
    const v = Array.isArray(p.value) ? p.value : [];
    const s = seriesOf(doc, p);
    if (!s) return box;

    const i = s.xAxisIndex || 0, hint = doc.panes[i];
    const label = v.find((x) => typeof x === 'string');
    if (hint.kind === 'time') box.append(element('b', '', utc(v[0]) + ' UTC'));
    else if (hint.wide && hint.kind === 'value') box.append(element('b', '', doc.option.yAxis[i].data[v[1]]));
    else box.append(element('b', '', doc.option.xAxis[i].data[v[0]]));

    box.append(tipRow(p.color, label || p.seriesName, label ? '' : value(v[1], hint)));
    return box;
  }

  // What a JSON option cannot hold: functions, and places in pixels.
  function span(params, api) {
    const a = api.coord([api.value(0), api.value(2)]), b = api.coord([api.value(1), api.value(2)]);
    const h = Math.max(1.5, Math.min(7, 0.74 * Math.abs(api.size([0, 1])[1])));

    const area = params.coordSys;
    const shape = echarts.graphic.clipRectByRect({ x: a[0], y: a[1] - h / 2, width: Math.max(1, b[0] - a[0]), height: h }, area);

    return shape && { type: 'rect', shape: { ...shape, r: 1 }, style: { fill: api.visual('color'), opacity: 0.78 } };
  }

  function bar(params, api) {
    const a = api.coord([api.value(0), api.value(1)]), b = api.coord([api.value(0), api.value(2)]), area = params.coordSys;
    const w = Math.max(1.5, Math.min(10, area.width / 110));
    const shape = echarts.graphic.clipRectByRect({ x: a[0] - w / 2, y: Math.min(a[1], b[1]), width: w, height: Math.abs(b[1] - a[1]) }, area);
    return shape && { type: 'rect', shape, style: { fill: api.visual('color'), opacity: api.style().opacity } };
  }

  // places are the panes' frames; columns become rows where there is no room for them side by side.
  function places(doc, plot) {
    const n = doc.panes.length;
    if (plot.clientWidth >= 620 || doc.panes.every((p) => p.place[2] === 1)) return doc.panes.map((p) => p.place);
    return doc.panes.map((_, i) => [0, i / n, 1, 1 / n]);
  }

  function height(doc, plot) {
    const rows = new Set(places(doc, plot).map((p) => p[1].toFixed(3))).size;
    return { 1: 300, 2: 380, 3: 500 }[rows] || rows * 150;
  }

  function titles(doc, plot) {
    const at = places(doc, plot);
    return doc.option.title.map((t, i) => ({
      ...t, left: at[i][0] * plot.clientWidth, top: at[i][1] * plot.clientHeight,
      textStyle: { ...t.textStyle, width: at[i][2] * plot.clientWidth - 12, overflow: 'truncate' },
    }));
  }

  function grids(doc, plot) {
    const w = plot.clientWidth, h = plot.clientHeight, at = places(doc, plot);
    const names = Math.min(150, 0.3 * w);

    return doc.panes.map((pane, i) => {
      const [left, top, width, height] = at[i], room = pane.wide ? Math.min(names, width * w * 0.42) : 50;
      return {
        left: left * w + room, top: top * h + 28, width: Math.max(20, width * w - room - (pane.wide && pane.kind === 'value' ? 58 : 14)),
        height: Math.max(20, height * h - 28 - 26), containLabel: false,
      };
    });
  }

  function completeOption(doc, plot) {
    const o = doc.option, dark = theme() === 'dark';
    o.useUTC = true;
    o.textStyle = { ...o.textStyle, fontFamily: getComputedStyle(body).fontFamily };
    o.grid = grids(doc, plot);
    o.title = titles(doc, plot);

    o.tooltip = {
      ...o.tooltip, renderMode: 'html', confine: true, appendTo: undefined, transitionDuration: 0,
      backgroundColor: dark ? '#1f2937' : '#ffffff', borderColor: dark ? '#374151' : '#d7dce3', textStyle: { color: dark ? '#e5e7eb' : '#1b2430' },
      formatter: (p) => (Array.isArray(p) ? axisTip(doc, p) : itemTip(doc, p)),
    };

    for (const s of o.series || []) {
      const i = s.xAxisIndex || 0;
      if (s.markArea) s.markArea.silent = true;
      if (s.type === 'custom' && s.id.split('/')[1] === 'span') Object.assign(s, { renderItem: span, encode: { x: [0, 1], y: 2 } });
      else if (s.type === 'custom') Object.assign(s, { renderItem: bar, encode: { x: 0, y: [1, 2] } });

      if (s.type === 'bar' && doc.panes[i].wide) {
        s.label = { show: true, position: 'right', color: dark ? '#e5e7eb' : '#1b2430', formatter: (p) => value(p.value[0], doc.panes[i]) };
      }
      if (s.type === 'line') s.emphasis = { focus: 'series', lineStyle: { width: 2.6 } };
    }

    for (const axis of o.yAxis || []) {
      if (axis.type === 'category') axis.axisLabel = { ...axis.axisLabel, width: Math.min(150, 0.3 * plot.clientWidth) - 12, overflow: 'truncate' };
    }

    if (o.dataZoom) {
      o.toolbox = { show: true, top: -200, feature: { dataZoom: { yAxisIndex: 'none' } } }; // drag to select; the icons are out of sight
      if (holdsZoom(doc)) Object.assign(o.dataZoom[0], { startValue: state.zoom[0], endValue: state.zoom[1] });
    }

    return o;
  }

  // One chart.
  function open(section) {
    const c = { name: section.dataset.chart, section, plot: $('.plot', section), visible: false, hidden: new Set(), asked: 0 };
    charts.set(c.name, c);
    c.plot.addEventListener('keydown', (e) => keys(c, e));
    new ResizeObserver(() => { if (c.view) fit(c); }).observe(c.plot);
    return c;
  }

  function draw(c, doc) {
    c.doc = doc;

    const empty = $('.empty', c.section);
    empty.textContent = doc.empty || '';
    empty.hidden = !doc.empty;
    c.plot.hidden = !!doc.empty;

    const summary = $('.summary', c.section);
    if (summary.textContent !== doc.summary) summary.textContent = doc.empty ? '' : doc.summary;

    const notes = $('.notes', c.section);
    const beyond = state.zoom && doc.option.dataZoom && !holdsZoom(doc) ? ['Not zoomed: this chart is of ' + utc(Date.parse(doc.since)) + ' to ' + utc(Date.parse(doc.until)) + '.'] : [];
    notes.textContent = [...(doc.notes || []), ...beyond].join(' ');
    notes.hidden = !notes.textContent;

    legend(c, doc);
    table(c, doc);
    c.plot.dataset.ready = doc.empty ? 'empty' : 'yes';
    if (doc.empty) { dispose(c); return; }

    if (!c.section.classList.contains('alone')) c.plot.style.height = height(doc, c.plot) + 'px';

    // The library goes on with what is under the pointer, also when that has gone: other series are another chart.
    const ids = doc.option.series.map((s) => s.id).join('\n');
    if (c.view && c.ids !== ids) dispose(c);
    c.ids = ids;

    if (!c.view) {
      c.view = echarts.init(c.plot, null, { renderer: 'canvas' });
      c.view.on('datazoom', () => zoomed(c));
      c.view.getZr().on('dblclick', () => setZoom(null));
    }

    c.view.setOption(completeOption(doc, c.plot), { replaceMerge: ['series'], lazyUpdate: false });
    for (const name of c.hidden) c.view.dispatchAction({ type: 'legendUnSelect', name });
    if (doc.option.dataZoom) c.view.dispatchAction({ type: 'takeGlobalCursor', key: 'dataZoomSelect', dataZoomSelectActive: true });
  }

  function dispose(c) { c.view?.dispose(); c.view = null; }
  // clear takes away a chart of another selection than the one that stands above it, and says why nothing follows.
  function clear(c, why) {
    dispose(c);
    c.doc = c.text = c.drawn = null;
    delete c.plot.dataset.ready;
    c.plot.hidden = true;

    for (const part of ['.legend', '.summary', '.notes', 'details.data .scroll']) $(part, c.section).replaceChildren();
    $('.notes', c.section).hidden = true;
    $('details.data', c.section).ontoggle = null;

    const empty = $('.empty', c.section);
    empty.textContent = why;
    empty.hidden = false;
  }

  function fit(c) {
    if (!c.section.classList.contains('alone')) c.plot.style.height = height(c.doc, c.plot) + 'px';
    c.view.resize();
    c.view.setOption({ grid: grids(c.doc, c.plot), title: titles(c.doc, c.plot) });
  }

  function legend(c, doc) {
    const box = $('.legend', c.section), focused = box.contains(document.activeElement) ? document.activeElement.textContent : null;

    const rows = new Map();
    const panes = [...new Set((doc.legend || []).map((r) => r.pane))];
    for (const r of doc.legend || []) {
      if (!rows.has(r.series)) rows.set(r.series, { ...r, by: new Map() });
      rows.get(r.series).by.set(r.pane, r);
    }

    if (!rows.size) { box.replaceChildren(); return; }

    const t = element('table'), head = element('tr');
    head.append(element('th', '', 'Series'));
    const shared = [...rows.values()].some((r) => r.by.size > 1);
    const columns = shared ? panes : [null];
    for (const p of columns) for (const f of ['last', 'avg', 'max']) head.append(element('th', 'right', p ? f + ' ' + p.split(' ')[0] : f));

    const thead = element('thead'), tbody = element('tbody');
    thead.append(head);
    for (const [name, r] of rows) {
      const tr = element('tr', c.hidden.has(name) ? 'off' : ''), td = element('td', 'name'), b = element('button');
      b.type = 'button';
      b.setAttribute('aria-pressed', String(!c.hidden.has(name)));
      b.title = 'Show or hide';
      const key = element('span', 'key tone-' + r.tone + ' ' + (r.dash || 'solid'));
      b.append(key, name);
      b.addEventListener('click', () => toggle(c, name));
      td.append(b);
      tr.append(td);

      for (const p of columns) {
        const f = p ? r.by.get(p) : r;
        for (const k of ['last', 'avg', 'max']) tr.append(element('td', 'right num', f ? f[k] : '–'));
      }
      tbody.append(tr);
    }

    t.append(thead, tbody);
    box.replaceChildren(t);
    if (focused !== null) ($$('button', box).find((b) => b.textContent === focused) || c.plot).focus({ preventScroll: true });
  }

  function toggle(c, name) {
    const off = !c.hidden.delete(name);
    if (off) c.hidden.add(name);
    c.view?.dispatchAction({ type: off ? 'legendUnSelect' : 'legendSelect', name });
    legend(c, c.doc);
  }

  function table(c, doc) {
    const details = $('details.data', c.section);

    const fill = () => {
      const t = element('table'), thead = element('thead'), tbody = element('tbody'), head = element('tr');
      for (const name of doc.table.columns) head.append(element('th', '', name));
      thead.append(head);

      for (const row of doc.table.rows || []) {
        const tr = element('tr');
        for (const cell of row) tr.append(element('td', 'num', cell));
        tbody.append(tr);
      }
      t.append(thead, tbody);

      const parts = [t];
      if (doc.table.left) parts.push(element('p', 'faint', doc.table.left + ' more rows: take the JSON or a shorter range.'));
      $('.scroll', details).replaceChildren(...parts);
    };

    if (details.open) fill();
    details.ontoggle = () => { if (details.open) fill(); };
  }

  // Zoom: one for all charts over time; it stands in the address, so that it outlives a refresh of data and page.
  let quiet = false;
  function zoomed(c) {
    if (quiet) return;
    const z = c.view.getOption().dataZoom.find((d) => d.startValue !== undefined);
    if (!z) return;

    const full = z.start <= 0.01 && z.end >= 99.99;
    setZoom(full ? null : [Math.round(z.startValue), Math.round(z.endValue)], c);
  }

  function setZoom(z, from) {
    if (z && z[1] - z[0] < 1000) return;
    state.zoom = z;
    if (z) page.searchParams.set('zoom', z[0] + '-' + z[1]); else page.searchParams.delete('zoom');
    if (!file) history.replaceState(null, '', page);

    quiet = true;
    for (const c of charts.values()) {
      if (c === from || !c.view || !c.doc.option.dataZoom || (z && !holdsZoom(c.doc))) continue;
      c.view.dispatchAction(z ? { type: 'dataZoom', dataZoomIndex: 0, startValue: z[0], endValue: z[1] } : { type: 'dataZoom', dataZoomIndex: 0, start: 0, end: 100 });
    }
    quiet = false;

    showZoom();
  }

  function showZoom() {
    const box = $('#zoom');
    if (!box) return;
    box.hidden = !state.zoom;
    if (state.zoom) $('#zoom-text').textContent = utc(state.zoom[0]) + ' – ' + utc(state.zoom[1]).slice(utc(state.zoom[0]).slice(0, 10) === utc(state.zoom[1]).slice(0, 10) ? 11 : 0);
    $('#back').hidden = !frozen();
  }

  // A zoom is drawn by the charts whose time it lies in: any other would be cut to something else than it says.
  const holdsZoom = (doc) => state.zoom && state.zoom[0] >= Date.parse(doc.since) && state.zoom[1] <= Date.parse(doc.until);
  const frozen = () => page.searchParams.has('since') && page.searchParams.has('until');
  // isPastZoom says whether the sliding range has left the zoom behind; a chart that is drawn of a part of the range cannot tell.
  function isPastZoom(doc) {
    if (kind !== 'main' || frozen() || !state.zoom || !$('#filters')) return false;

    const whole = seconds(page.searchParams.get('range') || body.dataset.range) * 1000, since = Date.parse(doc.since), until = Date.parse(doc.until);
    return state.zoom[1] > until || (state.zoom[0] < since && until - since >= whole);
  }

  const seconds = (text) => parseFloat(text) * { s: 1, m: 60, h: 3600, d: 86400 }[text.slice(-1)] || 0;
  // freeze makes the zoom the range, which then stands still.
  function freeze() {
    const form = $('#filters'), iso = (ms) => new Date(ms).toISOString().slice(0, 19);
    state.preset = page.searchParams.get('range') || body.dataset.range;

    form.range.value = 'custom';
    form.from.value = iso(state.zoom[0]);
    form.to.value = iso(Math.min(Math.ceil(state.zoom[1] / 1000) * 1000, lastTime));
    choose(form);
  }

  function keys(c, e) {
    if (!c.doc || !c.doc.option.dataZoom || e.ctrlKey || e.metaKey || e.altKey) return;

    const since = Date.parse(c.doc.since), until = Date.parse(c.doc.until);
    const [a, b] = state.zoom || [since, until], w = b - a;

    const to = (x, y) => { e.preventDefault(); const lo = Math.max(since, x), hi = Math.min(until, y); setZoom(lo <= since && hi >= until ? null : [Math.round(lo), Math.round(hi)]); };

    if (e.key === 'ArrowLeft') to(Math.max(since, a - w / 5), Math.max(since, a - w / 5) + w);
    else if (e.key === 'ArrowRight') to(Math.min(until, b + w / 5) - w, Math.min(until, b + w / 5));
    else if (e.key === '+' || e.key === '=') to(a + w / 4, b - w / 4);
    else if (e.key === '-' || e.key === '−') to(a - w / 2, b + w / 2);
    else if (e.key === '0' || e.key === 'Escape') { e.preventDefault(); setZoom(null); }
  }

  // Asking for data.
  function query() {
    const q = new URLSearchParams();
    if (kind === 'life') {
      q.set('since', body.dataset.since); q.set('until', body.dataset.until); q.set('container', body.dataset.container);
    } else {
      const from = page.searchParams.get('since'), to = page.searchParams.get('until');
      if (from && to) { q.set('since', from); q.set('until', to); } else q.set('range', page.searchParams.get('range') || body.dataset.range);
      for (const k of ['class', 'image']) if (page.searchParams.get(k)) q.set(k, page.searchParams.get(k));
      if (verdict().several) q.set('host', shownHost());
    }

    q.set('theme', theme());
    return q;
  }

  async function load(c) {
    const turn = ++c.asked, q = String(query());
    for (const a of $$('a[data-format]', c.section)) a.href = '/v1/charts/' + c.name + '.' + a.dataset.format + '?' + q;

    try {
      const r = await fetch('/v1/charts/' + c.name + '.json?' + q, { cache: 'no-cache' });
      if (!r.ok) throw new Error((await r.json()).detail || r.statusText);
      const text = await r.text();
      if (turn !== c.asked) return;

      const doc = JSON.parse(text);
      if (isPastZoom(doc)) { freeze(); return; }
      if (text !== c.text || !c.view) draw(c, doc);
      c.text = text;
      c.drawn = q;
    } catch (err) {
      if (turn !== c.asked || c.drawn === q) return; // keep what is there; the status line says that the service is away
      clear(c, 'This chart could not be loaded: ' + err.message);
    }
  }

  const visibleCharts = () => [...charts.values()].filter((c) => c.visible);
  async function refresh(all) {
    if (kind === 'life') await now(); // which tells how far its life goes

    const jobs = (all ? [...charts.values()] : visibleCharts()).map(load);
    for (const c of charts.values()) if (!c.visible && !all) c.stale = true;
    if (kind === 'main') jobs.push(now());

    await Promise.all(jobs);
    body.dataset.refreshed = String(Number(body.dataset.refreshed || 0) + 1);
  }

  const parts = kind === 'life' ? ['verdict', 'neighbours', 'events'] : ['verdict', 'decisions', 'containers'];
  const presentURL = () => (kind === 'life' ? location.pathname : '/now' + (shownHost() ? '?host=' + encodeURIComponent(shownHost()) : ''));
  // extend lets the charts of a container's page go on with its life, and adds the part that came to be.
  function extend(next) {
    for (const k of ['since', 'until']) body.dataset[k] = next.body.dataset[k];
    const fresh = next.getElementById('neighbours');
    if (fresh && !$('#neighbours')) $('#events').before(fresh);
    if (verdict().ended) connect();
  }

  let asked = 0; // answers may overtake each other: only the last one counts
  let answered = performance.now(); // when the last one came, Infinity while it is waited for
  async function now() {
    const turn = ++asked;
    asking = performance.now();
    answered = Infinity;

    let text = null;
    try {
      const r = await fetch(presentURL(), { cache: 'no-cache', signal: AbortSignal.timeout?.(patience) });
      if (r.ok) text = await r.text();
    } catch { /* as any answer that is none */ }

    if (turn !== asked) return;
    answered = performance.now();
    state.away = text === null;

    if (text !== null) {
      shownAt = answered;
      const next = new DOMParser().parseFromString(text, 'text/html');
      for (const id of parts) replaceSection($('#' + id), next.getElementById(id));
      if (kind === 'life') extend(next);
    }

    noteLast();
  }

  // Silence is news too, of which no event tells: a page that gets no event asks by itself, so that its verdict ages and its
  // charts go by the clock.
  const silence = 15_000, pace = 10_000, patience = 30_000; // ms: a tick and a half; a tick; no answer is worth more
  let lastEventAt = performance.now(); // when the last event came
  function pollIfSilent() {
    const at = performance.now(), open = state.live && !document.hidden && !verdict().ended;
    if (open && at - lastEventAt >= silence && at - answered >= pace) refresh(false);
    else if (kind === 'main' && open && (due() || age() > limit()) && at - answered >= 1000 && at - asking >= 1000) now();
    markAged();
  }

  // What is shown was so when it was answered. The age is the service's own until then, so that clocks may differ.
  let shownAt = 0, asking = 0; // when the verdict on the page was answered, and last asked for; 0 is when the page was made
  const verdict = () => $('#verdict')?.dataset || {};
  const shownHost = () => verdict().host || '';
  const limit = () => Number(verdict().patience) || patience;
  const since = () => performance.now() - shownAt;
  const age = () => since() + (/^(stale|stopped|empty)$/.test(verdict().state) ? 0 : Number(verdict().age) || 0); // these claim nothing of now
  // due: a container has come to its planned end, of which no record tells.
  const due = () => verdict().due !== undefined && since() > Number(verdict().due);
  // markAged greys what three ticks without an answer have made doubtful, and says since when.
  function markAged() {
    const box = $('#aged');
    if (!box) return;

    const disconnected = !state.live || state.away || state.link === 'lost' || (answered === Infinity && performance.now() - asking > 3000);
    const aged = disconnected && age() > limit() && verdict().asof;
    if (!aged) delete body.dataset.aged; else body.dataset.aged = 'yes';
    box.hidden = !aged;

    const text = aged ? 'As of ' + verdict().asof + (state.live ? ': this page cannot reach Gestor. What is below may be gone.' : ': this page is paused.') : '';
    if (box.textContent !== text) box.textContent = text;

    title();
  }

  function title() {
    const h1 = kind === 'main' && $('#verdict h1');
    const text = body.dataset.aged ? 'No news since ' + verdict().asof + ' · Gestor' : 'Gestor · ' + (h1 ? h1.textContent : '');
    if (h1 && document.title !== text) document.title = text;
  }

  // replaceSection replaces a section and puts a reader who is in it back where they were. Where only the section's own attributes
  // differ (the time of a tick like the one before), these alone are taken over.
  function replaceSection(old, fresh) {
    if (!old || !fresh) return;
    if (old.innerHTML === fresh.innerHTML) {
      for (const a of fresh.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
      return;
    }

    const from = $('.scroll', old), to = $('.scroll', fresh), focus = document.activeElement;
    const within = old.contains(focus), href = within && focus.getAttribute('href'), at = from && [from.scrollLeft, from.scrollTop];

    old.replaceWith(fresh);
    if (from && to) [to.scrollLeft, to.scrollTop] = at;
    if (within) ((href && $$('a', fresh).find((a) => a.getAttribute('href') === href)) || to)?.focus({ preventScroll: true });
  }

  function noteLast() {
    state.last ||= !!verdict().last;
    markAged();
    status();
  }

  // Live: one event stream for the page; nothing while the page is hidden or paused. A tick changes everything, what is done
  // and begun between two of them changes who lives.
  let stream = null, timer = 0, whole = false;
  const soon = 250; // ms: events come in bursts, which are paid once
  function onEvent(text) {
    let r = {};
    try { r = JSON.parse(text); } catch { /* any event is one */ }
    if (kind === 'main' && r.host && shownHost() && r.host !== shownHost() && r.producer !== 'logs') return;

    lastEventAt = performance.now();
    whole ||= kind === 'life' || !r.kind || r.kind === 'host';

    timer ||= setTimeout(() => {
      const all = whole;
      timer = 0;
      whole = false;
      if (all) refresh(false); else now();
    }, soon);
  }

  function connect() {
    if (kind === 'chart') return;
    if (!state.live || document.hidden || verdict().ended) { clearTimeout(timer); timer = 0; stream?.close(); stream = null; state.link = 'wait'; status(); return; }

    if (stream) return;
    stream = new EventSource('/v1/tail?kind=' + (kind === 'life' ? 'container,action,launch,decision&container=' + body.dataset.container : 'host,action,launch,system'));

    for (const type of ['message', 'record', 'host']) stream.addEventListener(type, (e) => onEvent(e.data));

    stream.onopen = () => { state.link = 'open'; status(); if (state.away) now(); };
    stream.onerror = () => {
      state.link = 'lost';
      status();
      if (stream && stream.readyState === EventSource.CLOSED) { stream = null; setTimeout(connect, 5000); }
    };
  }

  function status() {
    const text = $('#status-text');
    if (!text) return;

    const lamp = $('#status .lamp');
    const old = Math.round((since() + (Number(verdict().age) || 0)) / 1000);
    const last = kind === 'life' ? 'seen ' + (old < 120 ? old + ' s' : Math.round(old / 60) + ' min') + ' ago' : !state.last ? 'no record yet' : 'last record ' + (old < 120 ? old + ' s' : Math.round(old / 60) + ' min') + ' ago';

    const lost = state.link === 'lost' || state.away;
    const silent = { stopped: 'manager stopped', stale: 'no news', blind: 'blind' }[verdict().state];
    const mode = !state.live ? 'paused' : lost ? 'service away, trying again' : silent || 'live';

    text.textContent = kind === 'life' && verdict().ended ? 'the story of one container' : mode + ', ' + last;
    lamp.className = 'lamp ' + (mode === 'live' && !verdict().ended && (state.last || kind === 'life') ? 'live' : lost ? 'lost' : '');

    const button = $('#live');
    if (button) button.textContent = state.live ? 'Pause' : 'Resume'; // the name tells the state: aria-pressed would say it twice
  }

  function setLive(on) {
    state.live = on;
    store('live', on ? 'on' : 'off');
    connect();
    status();
    if (on) refresh(false);
  }

  // Controls.
  function addListeners() {
    $('#live')?.addEventListener('click', () => setLive(!state.live));
    $('#theme')?.addEventListener('click', nextTheme);
    system.addEventListener('change', () => { applyTheme(); reload(); });
    document.addEventListener('visibilitychange', () => { connect(); if (!document.hidden && state.live) refresh(false); });

    const form = $('#filters');
    document.addEventListener('keydown', (e) => shortcut(e, form));
    if (!form) return;

    const at = page.searchParams;
    const custom = at.has('since') && at.has('until');
    form.range.value = custom ? 'custom' : at.get('range') || body.dataset.range;

    for (const k of ['class', 'image']) {
      const wanted = at.get(k) || '';
      if (wanted && ![...form[k].options].some((o) => o.value === wanted)) form[k].append(new Option(wanted, wanted));
      form[k].value = wanted;
    }
    if (custom) { form.from.value = at.get('since').slice(0, 19); form.to.value = at.get('until').slice(0, 19); }
    $('#custom').hidden = !custom;

    form.addEventListener('submit', (e) => e.preventDefault());
    form.addEventListener('change', () => choose(form));
    $('#zoom-reset').addEventListener('click', () => setZoom(null));
    $('#zoom-use').addEventListener('click', freeze);
    $('#back').addEventListener('click', backToLive);

    if (custom && state.zoom && (state.zoom[0] < Date.parse(at.get('since')) || state.zoom[1] > Date.parse(at.get('until')))) setZoom(null);
  }

  // shortcut does what the page's footer promises; the page of one container has a theme alone, and no form.
  function shortcut(e, form) {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== 'radio') return;
    if (e.key === 't') nextTheme();
    else if (!form) return;
    else if (e.key === 'p') setLive(!state.live);
    else if (e.key >= '1' && e.key <= '6') { $$('input[name=range]', form)[e.key - 1].checked = true; choose(form); }
  }

  function backToLive() {
    const at = page.searchParams, form = $('#filters'), range = state.preset || body.dataset.range;
    for (const k of ['since', 'until', 'range']) at.delete(k);
    if (range !== body.dataset.range) at.set('range', range);

    form.range.value = range;
    $('#custom').hidden = true;
    setZoom(null);
    reload();
  }

  function nextTheme() {
    page.searchParams.delete('theme');
    state.theme = { auto: 'light', light: 'dark', dark: 'auto' }[state.theme] || 'auto';
    store('theme', state.theme);
    applyTheme();
    if (!file) history.replaceState(null, '', page);
    reload();
  }

  function reload() { for (const c of charts.values()) c.text = null; refresh(true); }
  function choose(form) {
    const at = page.searchParams, before = String(query()), custom = form.range.value === 'custom';
    const open = custom ? !form.from.value || !form.to.value : !form.range.value; // no range yet: the one that stands goes on

    $('#custom').hidden = !custom;
    for (const k of ['class', 'image']) if (form[k].value) at.set(k, form[k].value); else at.delete(k);

    if (!open) chooseRange(form, at, custom);
    else if (String(query()) === before) return;

    setZoom(null);
    history.replaceState(null, '', page);
    reload();
  }

  function chooseRange(form, at, custom) {
    for (const k of ['range', 'since', 'until']) at.delete(k);
    const whole = (v) => (v.length === 16 ? v + ':00' : v) + 'Z';
    if (custom) { at.set('since', whole(form.from.value)); at.set('until', whole(form.to.value)); }
    else if (form.range.value !== body.dataset.range) at.set('range', form.range.value);
  }

  function start() {
    const sections = $$('[data-chart]');
    if (kind === 'chart') {
      const doc = JSON.parse($('#document').textContent);
      draw(open(sections[0]), doc);
      return;
    }

    const watcher = new IntersectionObserver((entries) => {
      for (const e of entries) {
        const c = charts.get(e.target.dataset.chart);
        c.visible = e.isIntersecting;
        if (c.visible && (!c.doc || c.stale)) { c.stale = false; load(c); }
      }
    }, { rootMargin: '300px' });

    for (const s of sections) { open(s); watcher.observe(s); }

    addListeners();
    showZoom();
    noteLast();
    connect();

    setInterval(() => { pollIfSilent(); status(); }, 1000);
    addEventListener('beforeprint', () => { for (const c of charts.values()) c.view?.resize(); });
  }

  start();
})();
