// SPDX-License-Identifier: LGPL-2.1-or-later
// Stacked charts, and the moment in them that a pointer or the arrow keys are at.

// ---- a stacked chart ----

// Round steps that divide the axis into at most `most` parts.
function ticks(maximum, most, whole) {
	let step = 10 ** Math.floor(Math.log10(maximum / most));

	step = [1, 2, 5, 10].map((f) => f * step).find((s) => maximum / s <= most);
	if (whole) step = Math.max(1, Math.round(step));
	const list = [];
	for (let v = 0; list.length === 0 || list.at(-1) < maximum; v += step) list.push(v);
	return list;
}

// Heights of the bands' upper edges at each point; null in gaps.
function stack(series, first, past) {
	const edges = [];
	let below = past.time.slice(first).map(() => 0);

	for (const one of series) {
		below = below.map((b, i) =>
			b === null || one.values[first + i] === null || one.values[first + i] === undefined
				? null
				: b + one.values[first + i],
		);
		edges.push(below);
	}
	return edges;
}

// Runs of points without a gap, as [from, to].
function runs(edge) {
	const list = [];

	edge.forEach((v, i) => {
		if (v === null) return;
		if (i && edge[i - 1] !== null) list.at(-1)[1] = i;
		else list.push([i, i]);
	});
	return list;
}

function drawAxes(svg, box, x, y, values, times, show) {
	for (const v of values) {
		svg.append(
			make("line", {
				class: v ? "grid" : "base",
				x1: box.left,
				x2: box.right,
				y1: y(v),
				y2: y(v),
			}),
			make("text", { x: box.left - 6, y: y(v) + 4, "text-anchor": "end" }, show(v)),
		);
	}
	const end = times.at(-1),
		step = range / (box.right - box.left < 420 ? 2 : range === 3600 ? 6 : 5);
	for (let t = end - range; t <= end; t += step) {
		const at = x(t),
			last = t === end;
		svg.append(
			make("line", { class: "base", x1: at, x2: at, y1: box.bottom, y2: box.bottom + 4 }),
			make(
				"text",
				{
					x: at,
					y: box.bottom + 17,
					"text-anchor": last ? "end" : t === end - range ? "start" : "middle",
				},
				last ? clock(t, range < 3600) : clock(t, false),
			),
		);
	}
}

// Times in which the service told nothing.
function drawGaps(svg, box, x, times, edge) {
	let from = null;

	times.forEach((t, i) => {
		if (edge[i] === null && from === null && i) from = times[i - 1];
		if (from !== null && (edge[i] !== null || i === times.length - 1)) {
			if (x(t) - x(from) > 3)
				svg.append(
					make("rect", {
						class: "gap",
						x: x(from),
						y: box.top,
						width: x(t) - x(from),
						height: box.bottom - box.top,
					}),
				);
			if (x(t) - x(from) > 60)
				svg.append(
					make(
						"text",
						{ x: (x(from) + x(t)) / 2, y: box.top + 14, "text-anchor": "middle" },
						"no data",
					),
				);
			from = null;
		}
	});
}

function drawBands(svg, x, y, series, times, edges, steps) {
	series.forEach((one, s) => {
		const lower = s ? edges[s - 1] : edges[s].map((v) => (v === null ? null : 0));
		let path = "";

		for (const [from, to] of runs(edges[s])) {
			const forth = [],
				back = [];
			const put = (t, i) => {
				forth.push(`${x(t).toFixed(1)} ${y(edges[s][i]).toFixed(1)}`);
				back.unshift(`${x(t).toFixed(1)} ${y(lower[i]).toFixed(1)}`);
			};
			for (let i = from; i <= to; i++) {
				if (steps && i > from) put(times[i], i - 1);
				put(times[i], i);
			}
			path += `M${forth.join("L")}L${back.join("L")}Z`;
		}
		svg.append(make("path", { class: `band ${one.css}`, d: path, "data-name": one.name }));
	});
}

// Fills a plot. `show`: how a value is written; `whole`: values are whole numbers.
function drawChart(id, title, series, options) {
	const plot = byId(id),
		past = data.past,
		first = firstShown(past),
		times = past.time.slice(first);
	const width = plot.clientWidth,
		height = plot.clientHeight;
	const box = { left: 46, right: width - 4, top: 8, bottom: height - 24 };
	const edges = stack(series, first, past),
		top = edges.at(-1) || [];
	const maximum = Math.max(0, ...top.filter((v) => v !== null));
	const values = ticks(maximum || 1, 4, options.whole),
		end = times.at(-1);
	const x = (t) => box.left + ((t - (end - range)) / range) * (box.right - box.left);
	const y = (v) => box.bottom - (v / values.at(-1)) * (box.bottom - box.top);
	const svg = make(
		"svg",
		{ "aria-hidden": "true" },
		make(
			"defs",
			{},
			make(
				"pattern",
				{
					id: "hatch",
					width: 7,
					height: 7,
					patternUnits: "userSpaceOnUse",
					patternTransform: "rotate(45)",
				},
				make("line", { class: "hatch", x1: 0, x2: 0, y1: 0, y2: 7 }),
			),
		),
	);

	drawAxes(svg, box, x, y, values, times, options.show);
	drawBands(svg, x, y, series, times, edges, options.whole);
	drawGaps(svg, box, x, times, top);
	plot.replaceChildren(svg);
	const empty =
		times.length < 2
			? `The first chart appears after ${data.step} seconds.`
			: maximum
				? ""
				: options.none;
	if (empty && data.up) plot.append(make("p", { class: "empty" }, empty));
	plot.setAttribute("tabindex", "0");
	plot.setAttribute("role", "group");
	plot.setAttribute("aria-label", `${title}. Left and right arrow keys read single moments.`);
	plot.chart = { title, series, times, first, x, y, box, svg, options, top };
	if (held[id] !== undefined) point(plot, held[id], false);
}

// ---- one moment: tooltip, cursor, speech ----

function point(plot, index, speak) {
	const chart = plot.chart,
		i = Math.min(Math.max(index, 0), chart.times.length - 1);
	const tip = byId("tip"),
		at = chart.x(chart.times[i]),
		rows = [];

	held = { [plot.id]: i };
	for (const one of [...chart.series].reverse()) {
		const value = one.values[chart.first + i];
		if (value) rows.push([one, chart.options.show(value)]);
	}
	document.querySelectorAll(".cursor").forEach((line) => line.remove());
	chart.svg.append(
		make("line", { class: "cursor", x1: at, x2: at, y1: chart.box.top, y2: chart.box.bottom }),
	);
	const total =
		chart.top[i] === null
			? "no data"
			: `${chart.options.show(chart.top[i])}${chart.options.unit}`;
	tip.replaceChildren(
		make("p", {}, `${clock(chart.times[i], true)}: ${total}`),
		make(
			"table",
			{},
			make(
				"tbody",
				{},
				...rows.map(([one, value]) =>
					make(
						"tr",
						{},
						make(
							"th",
							{ scope: "row" },
							make("i", { class: `swatch ${one.css}` }),
							one.label,
						),
						make("td", {}, value),
					),
				),
			),
		),
	);
	tip.hidden = false;
	const place = plot.getBoundingClientRect(),
		wide = tip.offsetWidth;
	const left = place.left + at + (at + wide + 24 > place.width ? -wide - 12 : 12);
	const most = document.documentElement.clientWidth - wide - 4;
	tip.style.left = `${Math.min(Math.max(left, 4), most) + scrollX}px`;
	tip.style.top = `${place.top + scrollY + 12}px`;
	if (speak) {
		const parts = rows.map(([one, value]) => `${one.label} ${value}`);
		say("spoken", `${clock(chart.times[i], true)}: ${total}. ${parts.join(", ")}`);
	}
}

function unpoint() {
	held = {};
	byId("tip").hidden = true;
	document.querySelectorAll(".cursor").forEach((line) => line.remove());
}

function watchPlot(id) {
	const plot = byId(id);
	const nearest = (event) => {
		const at = event.clientX - plot.getBoundingClientRect().left,
			chart = plot.chart;
		return chart.times.reduce(
			(best, t, i) =>
				Math.abs(chart.x(t) - at) < Math.abs(chart.x(chart.times[best]) - at) ? i : best,
			0,
		);
	};

	plot.addEventListener(
		"pointermove",
		(event) => plot.chart && point(plot, nearest(event), false),
	);
	plot.addEventListener(
		"pointerdown",
		(event) => plot.chart && point(plot, nearest(event), false),
	);
	plot.addEventListener("pointerleave", unpoint);
	plot.addEventListener("blur", unpoint);
	plot.addEventListener("keydown", (event) => {
		const last = plot.chart ? plot.chart.times.length - 1 : -1,
			now = held[plot.id] ?? last + 1;
		const to = {
			ArrowLeft: now - 1,
			ArrowRight: now + 1,
			Home: 0,
			End: last,
			PageUp: now - 6,
			PageDown: now + 6,
		}[event.key];

		if (event.key === "Escape") unpoint();
		if (to === undefined || last < 0) return;
		event.preventDefault();
		point(plot, to, true);
	});
}
