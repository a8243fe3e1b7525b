// SPDX-License-Identifier: LGPL-2.1-or-later
// What stands on the page beside the charts, and fetching what it shows.

// ---- tables ----

const latest = (values) => (values ? (values.at(-1) ?? null) : 0);
const shownRate = (value) => (value === null ? "–" : short(value));

function fillExits(series) {
	const last = series.map((one) => latest(one.values)),
		all = sum(last);
	const known = Object.values(data.totals.exits),
		shown = new Set(series.map((one) => one.name));
	const rest = sum(
		Object.entries(data.totals.exits)
			.filter(([name]) => !shown.has(name))
			.map(([, n]) => n),
	);
	const row = (tag, head, ...cells) =>
		make(
			"tr",
			{},
			make("th", { scope: "row" }, ...head),
			...cells.map((cell) => make(tag, {}, cell)),
		);
	const rows = series.map((one, i) => {
		const total = one.name ? data.totals.exits[one.name] || 0 : rest;
		const line = row(
			"td",
			[make("i", { class: `swatch ${one.css}` }), one.label],
			shownRate(last[i]),
			all ? `${Math.round((last[i] / all) * 100)} %` : "–",
			data.counted ? short(total) : "–",
		);
		line.addEventListener("pointerenter", () =>
			byId("exits-plot")
				.querySelectorAll(".band")
				.forEach((band) => band.classList.toggle("faint", band.dataset.name !== one.name)),
		);
		line.addEventListener("pointerleave", () =>
			document.querySelectorAll(".faint").forEach((band) => band.classList.remove("faint")),
		);
		return line;
	});

	rows.reverse();
	byId("exits-table").tBodies[0].replaceChildren(...rows);
	byId("exits-table").tFoot?.remove();
	byId("exits-table").append(
		make(
			"tfoot",
			{},
			row(
				"td",
				["all"],
				last.includes(null) ? "–" : short(all),
				"",
				data.counted ? short(sum(known)) : "–",
			),
		),
	);
	byId("exits-table").hidden = !known.length && !series.length;
}

function fillQuotas() {
	const rows = Object.entries(QUOTAS)
		.filter(([key]) => data.now.quotas[key])
		.map(([key, [title, show]]) => {
			const { used, maximum } = data.now.quotas[key],
				part = maximum ? used / maximum : used ? 1 : 0;
			const level = part >= 1 ? "bad" : part > 0.9 ? "warn" : "";
			const note = { bad: " – used up", warn: " – nearly used up", "": "" }[level];
			const percent = part && part < 0.01 ? "<1 %" : `${Math.round(part * 100)} %`;
			const fill = make("i");

			fill.style.width = `${Math.min(part, 1) * 100}%`;
			return make(
				"div",
				{ class: `quota ${level}` },
				make(
					"p",
					{},
					make("span", {}, title),
					make(
						"span",
						{ class: "note" },
						`${show(used)} of ${show(maximum)} (${percent})${note}`,
					),
				),
				make(
					"div",
					{
						class: "track",
						role: "meter",
						"aria-label": title,
						"aria-valuemin": 0,
						"aria-valuemax": maximum,
						"aria-valuenow": Math.min(used, maximum),
						"aria-valuetext": `${show(used)} of ${show(maximum)}`,
					},
					fill,
				),
			);
		});
	byId("quotas").replaceChildren(
		...(rows.length ? rows : [make("p", { class: "sub" }, UNKNOWN)]),
	);
}

function spark(values) {
	const wide = 112,
		high = 20,
		top = Math.max(...values.map((v) => v || 0)) || 1;
	const at = values.map((v, i) => {
		const x = (i / Math.max(values.length - 1, 1)) * wide;
		const y = high - 2 - ((v || 0) / top) * (high - 4);

		return `${x.toFixed(1)},${y.toFixed(1)}`;
	});

	return make(
		"svg",
		{ viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "none", "aria-hidden": "true" },
		make("line", { class: "sparkbase", x1: 0, x2: wide, y1: high - 1, y2: high - 1 }),
		make("polyline", { class: "spark", points: at.join(" ") }),
	);
}

// Instead of a table without rows: all is well, or nothing is known.
function sayCalm(id, rows, text) {
	byId(id).hidden = rows > 0;
	byId(id).className = data.counted ? "calm" : "sub";
	say(id, data.counted ? text : UNKNOWN);
}

function fillTroubles() {
	const past = data.past,
		first = firstShown(past);
	const kinds = [
		["troubles", words],
		["errors", (name) => `reply ${name}`],
	];
	const totals = kinds.flatMap(([kind, label]) =>
		Object.entries(data.totals[kind]).map(([name, total]) => ({
			label: label(name),
			total,
			values: past[kind][name] || [],
		})),
	);
	const rows = totals
		.filter((one) => one.total)
		.map(({ label, total, values: all }) => {
			const values = all.slice(first);
			return make(
				"tr",
				{},
				make("th", { scope: "row" }, label),
				make("td", {}, spark(values)),
				make("td", {}, short(Math.round(sum(values) * data.step))),
				make("td", {}, short(total)),
			);
		});

	say("troubles-range", { 300: "past 5 min", 900: "past 15 min", 3600: "past hour" }[range]);
	byId("troubles").tBodies[0].replaceChildren(...rows);
	byId("troubles").hidden = !rows.length;
	sayCalm("troubles-calm", rows.length, "None since the module was loaded.");
}

function fillEnds() {
	const ends = Object.entries(data.totals.ends).sort((a, b) => b[1] - a[1]);
	const most = Math.max(1, ...ends.map(([, n]) => n));

	byId("ends").tBodies[0].replaceChildren(
		...ends.map(([cause, n]) => {
			const bar = make("i", {
				class: cause === "exit" || cause === "kill" ? "plain" : "fault",
			});
			bar.style.width = `${(n / most) * 70}%`;
			return make(
				"tr",
				{},
				make("th", { scope: "row" }, CAUSES[cause] || words(cause)),
				make("td", {}, make("div", {}, bar, count(n))),
			);
		}),
	);
	byId("ends").hidden = !ends.length;
	sayCalm("ends-calm", ends.length, "No context has ended yet.");
}

function fillTiles(series) {
	const now = data.now,
		memory = sum(Object.values(now.memory)),
		rates = series.map((one) => latest(one.values));
	const big = (id, value, unit) =>
		byId(id).replaceChildren(
			data.module ? value : "–",
			data.module && unit ? make("small", {}, ` ${unit}`) : "",
		);
	const states = STATE_ORDER.filter((state) => now.contexts?.[state]).map(
		(state) => `${count(now.contexts[state])} ${state}`,
	);
	const rate = rates.includes(null) || data.past.time.length < 2 ? null : sum(rates);

	big("t-contexts", count(now.existing));
	say(
		"t-contexts-sub",
		data.module ? states.join(", ") || (now.existing ? "" : "none exist") : "",
	);
	big("t-vcpus", count(now.vcpus));
	say(
		"t-vcpus-sub",
		data.vmx_holder ? `VMX: ${HOLDERS[data.vmx_holder] || data.vmx_holder}` : "",
	);
	big("t-exits", rate === null ? "–" : short(rate), rate === null ? "" : "per second");
	say(
		"t-exits-sub",
		data.counted ? `${short(sum(Object.values(data.totals.exits)))} in all` : "",
	);
	big("t-memory", ...bytes(memory).split(" "));
	say(
		"t-memory-sub",
		data.module ? `EPT ${bytes(now.memory.ept)}, private ${bytes(now.memory.private)}` : "",
	);
}

function fillHead() {
	const banner = byId("banner"),
		well = !failed && data && data.module && data.counted;
	let title = "",
		text = "";

	document.body.classList.toggle("stale", Boolean(failed));
	if (failed)
		[title, text] = [
			"The exporter does not answer.",
			`${failed} Trying again every few seconds; what is shown is the last that was seen.`,
		];
	else if (data && !data.up)
		[title, text] = [
			"The service is down.",
			`${data.problem}. Contexts that run go on. On the host: systemctl status duned`,
		];
	else if (data && !data.module)
		[title, text] = [
			"The kernel module can't be used.",
			`${data.problem}. On the host: dunectl doctor`,
		];
	else if (data && !data.counted)
		[title, text] = ["Not everything is known.", `${data.problem}.`];
	if (banner.textContent !== title + text)
		banner.replaceChildren(make("strong", {}, title), text);
	banner.hidden = !title;
	byId("dot").className = `dot ${well ? "good" : "bad"}`;
	if (!data) return say("status-text", "no connection");
	say(
		"status-text",
		failed
			? "no connection"
			: !data.up
				? "service down"
				: !data.module
					? `service ${data.service_version}, no module`
					: `service ${data.service_version}, module ${data.module_version} (ABI ${data.abi})`,
	);
	say("host", data.host ? `on ${data.host}` : "");
	document.title = `${well ? "" : "⚠ "}Dune${data.host ? ` on ${data.host}` : ""}`;
	say("updated", `As of ${clock(data.time, true)}${paused ? ", paused" : ""}.`);
	say("version", `dune-exporter ${data.version}.`);
}

function draw() {
	fillHead();
	if (!data) return;
	const exits = exitSeries(data.past),
		states = stateSeries(data.past);

	fillTiles(exits);
	drawChart("exits-plot", "VM exits by reason", exits, {
		show: short,
		unit: " per second",
		none: data.counted ? "No VM exits in this time." : "",
	});
	fillExits(exits);
	drawChart("contexts-plot", "Contexts by state", states, {
		show: count,
		unit: " contexts",
		whole: true,
		none: data.now.contexts ? "No contexts in this time." : "",
	});
	byId("contexts-legend").replaceChildren(
		...states.map((one) =>
			make(
				"li",
				{},
				make("i", { class: `swatch ${one.css}` }),
				`${one.label} ${data.now.contexts ? count(data.now.contexts[one.name]) : ""}`,
			),
		),
	);
	fillQuotas();
	fillTroubles();
	fillEnds();
}

// ---- fetching ----

async function fetchData() {
	try {
		const reply = await fetch("api/history", { signal: AbortSignal.timeout(8000) });
		if (!reply.ok) throw new Error(`It says ${reply.status}.`);
		data = await reply.json();
		failed = null;
	} catch (error) {
		failed =
			error instanceof SyntaxError
				? "It sent no JSON."
				: error.message.startsWith("It says")
					? error.message
					: "";
	}
	if (!paused) draw();
}

async function keepFetching() {
	if (!paused && !document.hidden) await fetchData();
	setTimeout(
		keepFetching,
		failed || !data ? 3000 : data.past.time.length < 3 ? 2000 : data.step * 500,
	);
}

byId("pause").addEventListener("click", () => {
	paused = !paused;
	byId("pause").setAttribute("aria-pressed", paused);
	say("pause", paused ? "Resume" : "Pause");
	fillHead();
});
document.querySelectorAll("input[name=range]").forEach((input) =>
	input.addEventListener("change", () => {
		range = Number(input.value);
		unpoint();
		draw();
	}),
);
document.addEventListener("visibilitychange", () => !document.hidden && !paused && fetchData());
new ResizeObserver(() => data && draw()).observe(byId("exits-plot"));
watchPlot("exits-plot");
watchPlot("contexts-plot");
keepFetching();
