// SPDX-License-Identifier: LGPL-2.1-or-later
// The page draws /api/history; page_basics.js, page_chart.js and page.js are one script, in this
// order. What comes from there goes into text and attributes, never into markup. Here: state,
// numbers, elements, series.
"use strict";

const MAX_BANDS = 7;
const FIRST_COLOURS = {
	ept_violation: 0,
	vmcall: 1,
	external_interrupt: 2,
	cpuid: 3,
	exception_or_nmi: 4,
	preemption_timer_expired: 5,
	interrupt_window: 6,
};
const STATE_COLOURS = { running: 0, attached: 4, new: 1, ended: "other" };
const STATE_ORDER = ["running", "attached", "new", "ended"];
const QUOTAS = {
	contexts: ["Contexts", count],
	vcpus: ["Virtual CPUs", count],
	private_pages: ["Private memory", pages],
	ept_pages: ["EPT tables", pages],
};
const HOLDERS = { nobody: "off", module: "on for Dune alone", kvm: "shared with KVM" };
const CAUSES = {
	exit: "process ended",
	kill: "killed by request",
	triple_fault: "triple fault",
	entry_failed: "VM entry refused",
	bad_exit: "unhandled exit",
	bad_gpa: "bad guest address",
	stuck: "stuck",
	panic: "panic of the runtime",
	trampoline: "trampoline unmapped",
	signals: "too many signals",
	event_loop: "endless exceptions",
};

const UNKNOWN = "Not known while the service or its module is away.";

let data = null,
	failed = null,
	paused = false,
	range = 3600,
	held = {},
	colours = { ...FIRST_COLOURS };

const byId = (id) => document.getElementById(id);

// ---- numbers ----

function count(n) {
	return Math.round(n).toLocaleString("en");
}

function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let unit = 0;

	for (; n >= 1024 && unit < units.length - 1; unit++) n /= 1024;
	return `${n >= 100 || unit === 0 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

function pages(n) {
	return bytes(n * 4096);
}

// 12, 3.4, 1.2 k, 34 M
function short(n) {
	const units = ["", " k", " M", " G", " T"];
	let unit = 0;

	for (; n >= 999.5 && unit < units.length - 1; unit++) n /= 1000;
	if (n && n < 0.1) return "<0.1";
	return (n >= 10 || Number.isInteger(n) ? Math.round(n) : n.toFixed(1)) + units[unit];
}

function clock(seconds, exact) {
	return new Date(seconds * 1000).toLocaleTimeString(
		"en-GB",
		exact ? {} : { hour: "2-digit", minute: "2-digit" },
	);
}

const words = (name) => name.replaceAll("_", " ");

// ---- elements ----

function make(tag, attributes, ...children) {
	const drawn = [
		"svg",
		"g",
		"path",
		"line",
		"rect",
		"text",
		"defs",
		"pattern",
		"polyline",
	].includes(tag);
	const node = drawn
		? document.createElementNS("http://www.w3.org/2000/svg", tag)
		: document.createElement(tag);

	for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
	node.append(...children);
	return node;
}

function say(id, text) {
	if (byId(id).textContent !== text) byId(id).textContent = text;
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
	const rates = Object.keys(past.exits).length > 0,
		totals = data.totals.exits;
	const weight = (name) => (rates ? sum(past.exits[name]) : totals[name]);
	const names = Object.keys(rates ? past.exits : totals).sort((a, b) => weight(b) - weight(a));
	const valuesOf = (name) => past.exits[name] || past.time.map(() => null);
	const shown = names.length > MAX_BANDS + 1 ? names.slice(0, MAX_BANDS) : names;
	const series = shown.map((name) => ({
		name,
		label: words(name),
		css: colourOf(name),
		values: valuesOf(name),
	}));
	const rest = names.slice(shown.length);

	if (rest.length)
		series.push({
			name: "",
			label: `${rest.length} others`,
			css: "other",
			values: past.time.map((_, i) =>
				valuesOf(rest[0])[i] === null ? null : sum(rest.map((name) => valuesOf(name)[i])),
			),
		});
	return series;
}

function stateSeries(past) {
	return STATE_ORDER.filter((name) => past.contexts[name]).map((name) => ({
		name,
		label: name,
		values: past.contexts[name],
		css: STATE_COLOURS[name] === "other" ? "other" : `k${STATE_COLOURS[name]}`,
	}));
}
