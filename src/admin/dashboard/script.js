// The dashboard: asks for /api/v1/pools and /api/v1/status each second and shows what
// they say. Rows are made once and then changed in place, so that an open transcript
// stays open. All texts go in as text, never as markup.
"use strict";

const PERIOD = 1000; // milliseconds between two questions
const RATE_SPAN = 10; // seconds that a rate is taken over
const SPARK_SPAN = 60; // seconds in a server's curve
const LIMIT = 5000; // milliseconds until an answer counts as missing

const counts = new Intl.NumberFormat("en");
const places = new Map(); // by id: {root, samples}

function query(root, field) {
	return root.querySelector(`[data-field="${field}"]`);
}

function fill(root, texts) {
	for (const [field, text] of Object.entries(texts)) {
		const element = query(root, field);
		if (element.textContent !== text) {
			element.textContent = text;
		}
	}
}

// The copy of a template that belongs to an id, made when first asked for.
function placeOf(id, template, parent) {
	let place = places.get(id);
	if (!place) {
		const copy = document.getElementById(template).content.cloneNode(true);
		place = { root: copy.firstElementChild, samples: [] };
		places.set(id, place);
		parent.append(copy);
	}
	place.seen = true;
	return place;
}

// What the last answer did not name is gone.
function forgetUnseen() {
	for (const [id, place] of places) {
		if (!place.seen) {
			place.root.remove();
			places.delete(id);
		}
		place.seen = false;
	}
}

function inPercent(share) {
	return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
}

function inBytes(bytes) {
	const units = ["B", "KB", "MB", "GB", "TB", "PB"];
	let unit = 0;
	while (bytes >= 1024 && unit < units.length - 1) {
		bytes /= 1024;
		unit++;
	}
	return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

function inTime(seconds) {
	const steps = [["d", 86400], ["h", 3600], ["min", 60]];
	for (const [name, length] of steps) {
		if (seconds >= length) {
			return `${Math.floor(seconds / length)} ${name}`;
		}
	}
	return `${Math.max(0, Math.floor(seconds))} s`;
}

function inRate(rate) {
	return rate >= 100 ? counts.format(Math.round(rate)) : rate.toFixed(1);
}

// Messages counted by now, kept for a minute. A lower count: the program was restarted.
function remember(samples, messages) {
	const now = performance.now() / 1000;
	if (samples.length && messages < samples.at(-1).messages) {
		samples.length = 0;
	}
	samples.push({ at: now, messages });
	while (samples[0].at < now - SPARK_SPAN) {
		samples.shift();
	}
}

function rateBetween(from, to) {
	return to.at > from.at ? (to.messages - from.messages) / (to.at - from.at) : 0;
}

function rateOf(samples) {
	const last = samples.at(-1);
	return rateBetween(samples.find((sample) => sample.at >= last.at - RATE_SPAN), last);
}

// Rates from one sample to the next, in messages a second.
function stepsOf(samples) {
	return samples.slice(1).map((sample, i) => ({
		at: sample.at,
		rate: rateBetween(samples[i], sample),
	}));
}

// One scale for a pool, so that its curves can be compared.
function drawSpark(root, samples, top) {
	const now = samples.at(-1).at;
	const points = stepsOf(samples).map(({ at, rate }) => {
		const x = 60 - ((now - at) * 60) / SPARK_SPAN;
		return `${x.toFixed(2)},${(15 - (14 * rate) / top).toFixed(2)}`;
	});
	root.querySelector(".spark polyline").setAttribute("points", points.join(" "));
}

function showProbe(root, probe) {
	query(root, "probe").title = probe ? probe.result : "";
	root.querySelector(".probe").classList.toggle("has-failed", !!probe && probe.result !== "ok");
	fill(root, {
		probe: probe ? probe.result : "none yet",
		probe_when: probe
			? `${probe.took_ms.toFixed(1)} ms, ${inTime((Date.now() - Date.parse(probe.at)) / 1000)} ago`
			: "",
		transcript: probe ? probe.transcript.join("\n") : "",
	});
}

function showFailures(root, failures) {
	const some = Object.entries(failures).filter(([, count]) => count);
	const cell = query(root, "failures");
	cell.textContent = counts.format(some.reduce((sum, [, count]) => sum + count, 0));
	cell.title = some.map(([kind, count]) => `${kind}: ${count}`).join("\n");
}

function showShares(root, server) {
	const bars = root.querySelector(".bars");
	bars.querySelector(".real i").style.width = `${server.share * 100}%`;
	bars.querySelector(".wanted i").style.width = `${server.share_wanted * 100}%`;
	bars.setAttribute("aria-label",
		`real share ${inPercent(server.share)}, wanted ${inPercent(server.share_wanted)}`);
	fill(root, { share: inPercent(server.share), share_wanted: inPercent(server.share_wanted) });
}

function showServer(place, server) {
	const root = place.root;
	remember(place.samples, server.messages);
	showShares(root, server);
	showFailures(root, server.failures);
	showProbe(root, server.last_probe);
	query(root, "state").dataset.state = server.state;
	fill(root, {
		name: server.name,
		address: server.address,
		state: server.state,
		fault: server.fault ?? "",
		weight: counts.format(server.weight),
		active: counts.format(server.active),
		messages: counts.format(server.messages),
		rate: inRate(rateOf(place.samples)),
	});
}

function showPool(pool) {
	const id = `pool ${pool.name}`;
	const root = placeOf(id, "pool", document.getElementById("pools")).root;
	const body = root.querySelector("tbody");
	const rows = pool.servers.map((server) => placeOf(`${id}/${server.name}`, "server", body));
	const up = pool.servers.filter((server) => server.state === "up").length;

	pool.servers.forEach((server, i) => showServer(rows[i], server));
	const rates = rows.flatMap((row) => stepsOf(row.samples).map((step) => step.rate));
	const top = Math.max(1, ...rates);
	rows.forEach((row) => drawSpark(row.root, row.samples, top));
	fill(root, { name: pool.name, summary: `${pool.balance}, ${up} of ${pool.servers.length} up` });
}

function showListener(listener) {
	const body = document.getElementById("listeners");
	fill(placeOf(`listener ${listener.name}`, "listener", body).root, {
		name: listener.name,
		bind: listener.bind.join(", "),
		mode: listener.mode,
		pool: listener.pool,
		active: counts.format(listener.active),
		sessions: counts.format(listener.sessions),
	});
}

const allSamples = [];

function showStatus(status) {
	const totals = status.totals;
	const age = (Date.now() - Date.parse(status.started)) / 1000;

	remember(allSamples, totals.messages);
	fill(document.querySelector("body > header"), {
		hostname: status.hostname,
		about: `version ${status.version}, process ${status.pid}, up ${inTime(age)}`,
	});
	fill(document.querySelector(".totals"), {
		rate: inRate(rateOf(allSamples)),
		messages: counts.format(totals.messages),
		recipients: counts.format(totals.recipients),
		bytes: inBytes(totals.bytes),
		active: counts.format(totals.active),
		sessions: counts.format(totals.sessions),
	});
	document.title = `${status.hostname} - evenpost`;
}

async function ask(path) {
	const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(LIMIT) });
	if (!answer.ok) {
		throw new Error(`${path}: ${answer.status}`);
	}
	return answer.json();
}

let heard = null; // when the last answer came

function showPulse(alive) {
	const silence = heard ? `no answer for ${inTime((Date.now() - heard) / 1000)}` : "no answer";
	document.body.classList.toggle("is-stale", !alive);
	document.getElementById("pulse").textContent = alive ? "live" : silence;
}

async function refresh() {
	try {
		const [{ pools }, status] = await Promise.all([ask("api/v1/pools"), ask("api/v1/status")]);
		heard = Date.now();
		showStatus(status);
		pools.forEach(showPool);
		status.listeners.forEach(showListener);
		forgetUnseen();
		document.getElementById("main").hidden = false;
		showPulse(true);
	} catch (error) {
		console.error(error);
		showPulse(false);
	}
	setTimeout(refresh, PERIOD);
}

refresh();
