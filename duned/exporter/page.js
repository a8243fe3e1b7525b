// SPDX-License-Identifier: LGPL-2.1-or-later
// Draws /api/history. What comes from there goes into text and attributes, never into markup.
"use strict";

const MAX_BANDS = 7;
const FIRST_COLOURS = {
	ept_violation: 0, vmcall: 1, external_interrupt: 2, cpuid: 3, exception_or_nmi: 4,
	preemption_timer_expired: 5, interrupt_window: 6,
};
const STATE_COLOURS = { running: 0, attached: 4, new: 1, ended: "other" };
const STATE_ORDER = ["running", "attached", "new", "ended"];
const QUOTAS = {
	contexts: ["Contexts", count], vcpus: ["Virtual CPUs", count],
	private_pages: ["Private memory", pages], ept_pages: ["EPT tables", pages],
};
const CAUSES = {
	exit: "process ended", kill: "killed by request", triple_fault: "triple fault",
	entry_failed: "VM entry refused", bad_exit: "unhandled exit", bad_gpa: "bad guest address",
	stuck: "stuck", panic: "panic of the runtime", trampoline: "trampoline unmapped",
	signals: "too many signals", event_loop: "endless exceptions",
};

const UNKNOWN = "Not known while the service or its module is away.";

let data = null, failed = null, paused = false, range = 3600, held = {}, colours = { ...FIRST_COLOURS };

const byId = (id) => document.getElementById(id);

// ---- numbers ----

function count(n) {
	return Math.round(n).toLocaleString("en");
}

function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;

	for (; n >= 1024 && unit < units.length - 1; unit++)
		n /= 1024;
	return `${n >= 100 || unit === 0 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

function pages(n) {
	return bytes(n * 4096);
}

// 12, 3.4, 1.2 k, 34 M
function short(n) {
	const units = ["", " k", " M", " G", " T"];
	let unit = 0;

	for (; n >= 999.5 && unit < units.length - 1; unit++)
		n /= 1000;
	if (n && n < 0.1)
		return "<0.1";
	return (n >= 10 || Number.isInteger(n) ? Math.round(n) : n.toFixed(1)) + units[unit];
}

function clock(seconds, exact) {
	return new Date(seconds * 1000).toLocaleTimeString("en-GB",
		exact ? {} : { hour: "2-digit", minute: "2-digit" });
}

const words = (name) => name.replaceAll("_", " ");

// ---- elements ----

function make(tag, attributes, ...children) {
	const drawn = ["svg", "g", "path", "line", "rect", "text", "defs", "pattern", "polyline"].includes(tag);
	const node = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) :
		document.createElement(tag);

	for (const [key, value] of Object.entries(attributes || {}))
		node.setAttribute(key, value);
	node.append(...children);
	return node;
}

function say(id, text) {
	if (byId(id).textContent !== text)
		byId(id).textContent = text;
}

function colourOf(name) {
	if (!(name in colours)) {
		const used = new Set(Object.values(colours).slice(Object.keys(FIRST_COLOURS).length));
		const free = [6, 5, 4, 3].find((c) => !used.has(c));
		colours[name] = free === undefined ? "other" : free;
	}
	return colours[name] === "other" ? "other" : `k${colours[name]}`;
}

// ---- series ----

// The points of the chosen range: where it begins in the arrays.
function firstShown(past) {
	const end = past.time.at(-1);
	const first = past.time.findIndex((t) => t >= end - range);
	return Math.max(first, 0);
}

const sum = (values) => values.reduce((a, v) => a + (v || 0), 0);

// The reasons with most exits, each a series; what is left is one more.
function exitSeries(past) {
	const rates = Object.keys(past.exits).length > 0, totals = data.totals.exits;
	const weight = (name) => (rates ? sum(past.exits[name]) : totals[name]);
	const names = Object.keys(rates ? past.exits : totals).sort((a, b) => weight(b) - weight(a));
	const valuesOf = (name) => past.exits[name] || past.time.map(() => null);
	const shown = names.length > MAX_BANDS + 1 ? names.slice(0, MAX_BANDS) : names;
	const series = shown.map((name) => ({ name, label: words(name), css: colourOf(name), values: valuesOf(name) }));
	const rest = names.slice(shown.length);

	if (rest.length)
		series.push({ name: "", label: `${rest.length} others`, css: "other",
			values: past.time.map((_, i) => (valuesOf(rest[0])[i] === null ? null :
				sum(rest.map((name) => valuesOf(name)[i])))) });
	return series;
}

function stateSeries(past) {
	return STATE_ORDER.filter((name) => past.contexts[name]).map((name) => ({
		name, label: name, values: past.contexts[name],
		css: STATE_COLOURS[name] === "other" ? "other" : `k${STATE_COLOURS[name]}`,
	}));
}

// ---- a stacked chart ----

// Round steps that divide the axis into at most `most` parts.
function ticks(maximum, most, whole) {
	let step = 10 ** Math.floor(Math.log10(maximum / most));

	step = [1, 2, 5, 10].map((f) => f * step).find((s) => maximum / s <= most);
	if (whole)
		step = Math.max(1, Math.round(step));
	const list = [];
	for (let v = 0; list.length === 0 || list.at(-1) < maximum; v += step)
		list.push(v);
	return list;
}

// Heights of the bands' upper edges at each point; null in gaps.
function stack(series, first, past) {
	const edges = [];
	let below = past.time.slice(first).map(() => 0);

	for (const one of series) {
		below = below.map((b, i) => b === null || one.values[first + i] === null ||
			one.values[first + i] === undefined ? null : b + one.values[first + i]);
		edges.push(below);
	}
	return edges;
}

// Runs of points without a gap, as [from, to].
function runs(edge) {
	const list = [];

	edge.forEach((v, i) => {
		if (v === null)
			return;
		if (i && edge[i - 1] !== null)
			list.at(-1)[1] = i;
		else
			list.push([i, i]);
	});
	return list;
}

function drawAxes(svg, box, x, y, values, times, show) {
	for (const v of values) {
		svg.append(make("line", { class: v ? "grid" : "base", x1: box.left, x2: box.right, y1: y(v), y2: y(v) }),
			make("text", { x: box.left - 6, y: y(v) + 4, "text-anchor": "end" }, show(v)));
	}
	const end = times.at(-1), step = range / (box.right - box.left < 420 ? 2 : range === 3600 ? 6 : 5);
	for (let t = end - range; t <= end; t += step) {
		const at = x(t), last = t === end;
		svg.append(make("line", { class: "base", x1: at, x2: at, y1: box.bottom, y2: box.bottom + 4 }),
			make("text", { x: at, y: box.bottom + 17, "text-anchor": last ? "end" : t === end - range ? "start" : "middle" },
				last ? clock(t, range < 3600) : clock(t, false)));
	}
}

// Times in which the service told nothing.
function drawGaps(svg, box, x, times, edge) {
	let from = null;

	times.forEach((t, i) => {
		if (edge[i] === null && from === null && i)
			from = times[i - 1];
		if (from !== null && (edge[i] !== null || i === times.length - 1)) {
			if (x(t) - x(from) > 3)
				svg.append(make("rect", { class: "gap", x: x(from), y: box.top, width: x(t) - x(from), height: box.bottom - box.top }));
			if (x(t) - x(from) > 60)
				svg.append(make("text", { x: (x(from) + x(t)) / 2, y: box.top + 14, "text-anchor": "middle" }, "no data"));
			from = null;
		}
	});
}

function drawBands(svg, x, y, series, times, edges, steps) {
	series.forEach((one, s) => {
		const lower = s ? edges[s - 1] : edges[s].map((v) => (v === null ? null : 0));
		let path = "";

		for (const [from, to] of runs(edges[s])) {
			const forth = [], back = [];
			const put = (t, i) => {
				forth.push(`${x(t).toFixed(1)} ${y(edges[s][i]).toFixed(1)}`);
				back.unshift(`${x(t).toFixed(1)} ${y(lower[i]).toFixed(1)}`);
			};
			for (let i = from; i <= to; i++) {
				if (steps && i > from)
					put(times[i], i - 1);
				put(times[i], i);
			}
			path += `M${forth.join("L")}L${back.join("L")}Z`;
		}
		svg.append(make("path", { class: `band ${one.css}`, d: path, "data-name": one.name }));
	});
}

// Fills a plot. `show`: how a value is written; `whole`: values are whole numbers.
function drawChart(id, title, series, options) {
	const plot = byId(id), past = data.past, first = firstShown(past), times = past.time.slice(first);
	const width = plot.clientWidth, height = plot.clientHeight;
	const box = { left: 46, right: width - 4, top: 8, bottom: height - 24 };
	const edges = stack(series, first, past), top = edges.at(-1) || [];
	const maximum = Math.max(0, ...top.filter((v) => v !== null));
	const values = ticks(maximum || 1, 4, options.whole), end = times.at(-1);
	const x = (t) => box.left + (t - (end - range)) / range * (box.right - box.left);
	const y = (v) => box.bottom - v / values.at(-1) * (box.bottom - box.top);
	const svg = make("svg", { "aria-hidden": "true" },
		make("defs", {}, make("pattern", { id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
			make("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 7 }))));

	drawAxes(svg, box, x, y, values, times, options.show);
	drawBands(svg, x, y, series, times, edges, options.whole);
	drawGaps(svg, box, x, times, top);
	plot.replaceChildren(svg);
	const empty = times.length < 2 ? `The first chart appears after ${data.step} seconds.` : maximum ? "" : options.none;
	if (empty && data.up)
		plot.append(make("p", { class: "empty" }, empty));
	plot.setAttribute("tabindex", "0");
	plot.setAttribute("role", "group");
	plot.setAttribute("aria-label", `${title}. Left and right arrow keys read single moments.`);
	plot.chart = { title, series, times, first, x, y, box, svg, options, top };
	if (held[id] !== undefined)
		point(plot, held[id], false);
}

// ---- one moment: tooltip, cursor, speech ----

function point(plot, index, speak) {
	const chart = plot.chart, i = Math.min(Math.max(index, 0), chart.times.length - 1);
	const tip = byId("tip"), at = chart.x(chart.times[i]), rows = [];

	held = { [plot.id]: i };
	for (const one of [...chart.series].reverse()) {
		const value = one.values[chart.first + i];
		if (value)
			rows.push([one, chart.options.show(value)]);
	}
	document.querySelectorAll(".cursor").forEach((line) => line.remove());
	chart.svg.append(make("line", { class: "cursor", x1: at, x2: at, y1: chart.box.top, y2: chart.box.bottom }));
	const total = chart.top[i] === null ? "no data" : `${chart.options.show(chart.top[i])}${chart.options.unit}`;
	tip.replaceChildren(make("p", {}, `${clock(chart.times[i], true)}: ${total}`), make("table", {}, make("tbody", {},
		...rows.map(([one, value]) => make("tr", {}, make("th", { scope: "row" }, make("i", { class: `swatch ${one.css}` }), one.label), make("td", {}, value))))));
	tip.hidden = false;
	const place = plot.getBoundingClientRect(), wide = tip.offsetWidth;
	const left = place.left + at + (at + wide + 24 > place.width ? -wide - 12 : 12);
	tip.style.left = `${Math.min(Math.max(left, 4), document.documentElement.clientWidth - wide - 4) + scrollX}px`;
	tip.style.top = `${place.top + scrollY + 12}px`;
	if (speak)
		say("spoken", `${clock(chart.times[i], true)}: ${total}. ${rows.map(([one, value]) => `${one.label} ${value}`).join(", ")}`);
}

function unpoint() {
	held = {};
	byId("tip").hidden = true;
	document.querySelectorAll(".cursor").forEach((line) => line.remove());
}

function watchPlot(id) {
	const plot = byId(id);
	const nearest = (event) => {
		const at = event.clientX - plot.getBoundingClientRect().left, chart = plot.chart;
		return chart.times.reduce((best, t, i) => Math.abs(chart.x(t) - at) < Math.abs(chart.x(chart.times[best]) - at) ? i : best, 0);
	};

	plot.addEventListener("pointermove", (event) => plot.chart && point(plot, nearest(event), false));
	plot.addEventListener("pointerdown", (event) => plot.chart && point(plot, nearest(event), false));
	plot.addEventListener("pointerleave", unpoint);
	plot.addEventListener("blur", unpoint);
	plot.addEventListener("keydown", (event) => {
		const last = plot.chart ? plot.chart.times.length - 1 : -1, now = held[plot.id] ?? last + 1;
		const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now - 6, PageDown: now + 6 }[event.key];

		if (event.key === "Escape")
			unpoint();
		if (to === undefined || last < 0)
			return;
		event.preventDefault();
		point(plot, to, true);
	});
}

// ---- tables ----

const latest = (values) => (values ? values.at(-1) ?? null : 0);
const shownRate = (value) => (value === null ? "–" : short(value));

function fillExits(series) {
	const last = series.map((one) => latest(one.values)), all = sum(last);
	const known = Object.values(data.totals.exits), shown = new Set(series.map((one) => one.name));
	const rest = sum(Object.entries(data.totals.exits).filter(([name]) => !shown.has(name)).map(([, n]) => n));
	const row = (tag, head, ...cells) => make("tr", {}, make("th", { scope: "row" }, ...head), ...cells.map((cell) => make(tag, {}, cell)));
	const rows = series.map((one, i) => {
		const total = one.name ? data.totals.exits[one.name] || 0 : rest;
		const line = row("td", [make("i", { class: `swatch ${one.css}` }), one.label], shownRate(last[i]),
			all ? `${Math.round(last[i] / all * 100)} %` : "–", data.counted ? short(total) : "–");
		line.addEventListener("pointerenter", () => byId("exits-plot").querySelectorAll(".band").forEach((band) =>
			band.classList.toggle("faint", band.dataset.name !== one.name)));
		line.addEventListener("pointerleave", () => document.querySelectorAll(".faint").forEach((band) => band.classList.remove("faint")));
		return line;
	});

	rows.reverse();
	byId("exits-table").tBodies[0].replaceChildren(...rows);
	byId("exits-table").tFoot?.remove();
	byId("exits-table").append(make("tfoot", {}, row("td", ["all"], last.includes(null) ? "–" : short(all), "", data.counted ? short(sum(known)) : "–")));
	byId("exits-table").hidden = !known.length && !series.length;
}

function fillQuotas() {
	const rows = Object.entries(QUOTAS).filter(([key]) => data.now.quotas[key]).map(([key, [title, show]]) => {
		const { used, maximum } = data.now.quotas[key], part = maximum ? used / maximum : used ? 1 : 0;
		const level = part >= 1 ? "bad" : part > 0.9 ? "warn" : "";
		const note = { bad: " – used up", warn: " – nearly used up", "": "" }[level];
		const percent = part && part < 0.01 ? "<1 %" : `${Math.round(part * 100)} %`;
		const fill = make("i");

		fill.style.width = `${Math.min(part, 1) * 100}%`;
		return make("div", { class: `quota ${level}` },
			make("p", {}, make("span", {}, title), make("span", { class: "note" }, `${show(used)} of ${show(maximum)} (${percent})${note}`)),
			make("div", { class: "track", role: "meter", "aria-label": title, "aria-valuemin": 0, "aria-valuemax": maximum, "aria-valuenow": Math.min(used, maximum), "aria-valuetext": `${show(used)} of ${show(maximum)}` }, fill));
	});
	byId("quotas").replaceChildren(...(rows.length ? rows : [make("p", { class: "sub" }, UNKNOWN)]));
}

function spark(values) {
	const wide = 112, high = 20, top = Math.max(...values.map((v) => v || 0)) || 1;
	const at = values.map((v, i) => `${(i / Math.max(values.length - 1, 1) * wide).toFixed(1)},${(high - 2 - (v || 0) / top * (high - 4)).toFixed(1)}`);

	return make("svg", { viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" },
		make("line", { class: "sparkbase", x1: 0, x2: wide, y1: high - 1, y2: high - 1 }), make("polyline", { class: "spark", points: at.join(" ") }));
}

// Instead of a table without rows: all is well, or nothing is known.
function sayCalm(id, rows, text) {
	byId(id).hidden = rows > 0;
	byId(id).className = data.counted ? "calm" : "sub";
	say(id, data.counted ? text : UNKNOWN);
}

function fillTroubles() {
	const past = data.past, first = firstShown(past);
	const kinds = [["troubles", words], ["errors", (name) => `reply ${name}`]];
	const totals = kinds.flatMap(([kind, label]) => Object.entries(data.totals[kind])
		.map(([name, total]) => ({ label: label(name), total, values: past[kind][name] || [] })));
	const rows = totals.filter((one) => one.total).map(({ label, total, values: all }) => {
		const values = all.slice(first);
		return make("tr", {}, make("th", { scope: "row" }, label), make("td", {}, spark(values)),
			make("td", {}, short(Math.round(sum(values) * data.step))), make("td", {}, short(total)));
	});

	say("troubles-range", { 300: "past 5 min", 900: "past 15 min", 3600: "past hour" }[range]);
	byId("troubles").tBodies[0].replaceChildren(...rows);
	byId("troubles").hidden = !rows.length;
	sayCalm("troubles-calm", rows.length, "None since the module was loaded.");
}

function fillEnds() {
	const ends = Object.entries(data.totals.ends).sort((a, b) => b[1] - a[1]);
	const most = Math.max(1, ...ends.map(([, n]) => n));

	byId("ends").tBodies[0].replaceChildren(...ends.map(([cause, n]) => {
		const bar = make("i", { class: cause === "exit" || cause === "kill" ? "plain" : "fault" });
		bar.style.width = `${n / most * 70}%`;
		return make("tr", {}, make("th", { scope: "row" }, CAUSES[cause] || words(cause)), make("td", {}, make("div", {}, bar, count(n))));
	}));
	byId("ends").hidden = !ends.length;
	sayCalm("ends-calm", ends.length, "No context has ended yet.");
}

function fillTiles(series) {
	const now = data.now, memory = sum(Object.values(now.memory)), rates = series.map((one) => latest(one.values));
	const big = (id, value, unit) => byId(id).replaceChildren(data.module ? value : "–", data.module && unit ? make("small", {}, ` ${unit}`) : "");
	const states = STATE_ORDER.filter((state) => now.contexts?.[state]).map((state) => `${count(now.contexts[state])} ${state}`);
	const rate = rates.includes(null) || data.past.time.length < 2 ? null : sum(rates);

	big("t-contexts", count(now.existing));
	say("t-contexts-sub", data.module ? states.join(", ") || (now.existing ? "" : "none exist") : "");
	big("t-vcpus", count(now.vcpus));
	say("t-vcpus-sub", data.vmx_holder ? `VMX: ${{ nobody: "off", module: "on for Dune alone", kvm: "shared with KVM" }[data.vmx_holder] || data.vmx_holder}` : "");
	big("t-exits", rate === null ? "–" : short(rate), rate === null ? "" : "per second");
	say("t-exits-sub", data.counted ? `${short(sum(Object.values(data.totals.exits)))} in all` : "");
	big("t-memory", ...bytes(memory).split(" "));
	say("t-memory-sub", data.module ? `EPT ${bytes(now.memory.ept)}, private ${bytes(now.memory.private)}` : "");
}

function fillHead() {
	const banner = byId("banner"), well = !failed && data && data.module && data.counted;
	let title = "", text = "";

	document.body.classList.toggle("stale", Boolean(failed));
	if (failed)
		[title, text] = ["The exporter does not answer.", `${failed} Trying again every few seconds; what is shown is the last that was seen.`];
	else if (data && !data.up)
		[title, text] = ["The service is down.", `${data.problem}. Contexts that run go on. On the host: systemctl status duned`];
	else if (data && !data.module)
		[title, text] = ["The kernel module can't be used.", `${data.problem}. On the host: dunectl doctor`];
	else if (data && !data.counted)
		[title, text] = ["Not everything is known.", `${data.problem}.`];
	if (banner.textContent !== title + text)
		banner.replaceChildren(make("strong", {}, title), text);
	banner.hidden = !title;
	byId("dot").className = `dot ${well ? "good" : "bad"}`;
	if (!data)
		return say("status-text", "no connection");
	say("status-text", failed ? "no connection" : !data.up ? "service down" : !data.module ? `service ${data.service_version}, no module` :
		`service ${data.service_version}, module ${data.module_version} (ABI ${data.abi})`);
	say("host", data.host ? `on ${data.host}` : "");
	document.title = `${well ? "" : "⚠ "}Dune${data.host ? ` on ${data.host}` : ""}`;
	say("updated", `As of ${clock(data.time, true)}${paused ? ", paused" : ""}.`);
	say("version", `dune-exporter ${data.version}.`);
}

function draw() {
	fillHead();
	if (!data)
		return;
	const exits = exitSeries(data.past), states = stateSeries(data.past);

	fillTiles(exits);
	drawChart("exits-plot", "VM exits by reason", exits, { show: short, unit: " per second", none: data.counted ? "No VM exits in this time." : "" });
	fillExits(exits);
	drawChart("contexts-plot", "Contexts by state", states, { show: count, unit: " contexts", whole: true, none: data.now.contexts ? "No contexts in this time." : "" });
	byId("contexts-legend").replaceChildren(...states.map((one) => make("li", {}, make("i", { class: `swatch ${one.css}` }), `${one.label} ${data.now.contexts ? count(data.now.contexts[one.name]) : ""}`)));
	fillQuotas();
	fillTroubles();
	fillEnds();
}

// ---- fetching ----

async function fetchData() {
	try {
		const reply = await fetch("api/history", { signal: AbortSignal.timeout(8000) });
		if (!reply.ok)
			throw new Error(`It says ${reply.status}.`);
		data = await reply.json();
		failed = null;
	} catch (error) {
		failed = error instanceof SyntaxError ? "It sent no JSON." : error.message.startsWith("It says") ? error.message : "";
	}
	if (!paused)
		draw();
}

async function keepFetching() {
	if (!paused && !document.hidden)
		await fetchData();
	setTimeout(keepFetching, failed || !data ? 3000 : data.past.time.length < 3 ? 2000 : data.step * 500);
}

byId("pause").addEventListener("click", () => {
	paused = !paused;
	byId("pause").setAttribute("aria-pressed", paused);
	say("pause", paused ? "Resume" : "Pause");
	fillHead();
});
document.querySelectorAll("input[name=range]").forEach((input) => input.addEventListener("change", () => {
	range = Number(input.value);
	unpoint();
	draw();
}));
document.addEventListener("visibilitychange", () => !document.hidden && !paused && fetchData());
new ResizeObserver(() => data && draw()).observe(byId("exits-plot"));
watchPlot("exits-plot");
watchPlot("contexts-plot");
keepFetching();
