// The recorded run, and how its values are shown.

const run = readRun(document.getElementById("data").textContent);

/** The run, with links from each step to those within it, and a time for each line. */
function readRun(json) {
  const run = JSON.parse(json);
  run.roots = [];
  run.steps.forEach((step, number) => {
    const parent = run.steps[step.parent];
    step.number = number;
    step.outer = parent;
    step.depth = parent ? parent.depth + 1 : 0;
    step.inner = [];
    step.entries ??= [];
    step.isRunning = step.end === null;
    step.end ??= run.took;
    (parent ? parent.inner : run.roots).push(step);
  });
  run.machines.forEach((machine, number) => {
    let at = 0;
    machine.number = number;
    machine.console.at = machine.console.times.map((difference) => (at += difference));
  });
  return run;
}

/** The text of a step that is searched, in lower case. */
function searchText(step) {
  step.searchText ??= [
    step.what,
    step.error ?? "",
    machineOf(step)?.name ?? "",
    ...step.entries.flatMap(({ log, command, picture }) => [
      log?.text ?? "",
      log?.command_line ?? "",
      command?.command ?? "",
      command?.output?.text ?? "",
      command?.output?.cut?.tail ?? "",
      command?.error ?? "",
      picture?.text ?? "",
    ]),
  ].map(plain).join("\n").toLowerCase();
  return step.searchText;
}

function machineOf(step) {
  return run.machines[step.machine];
}

/** The steps around a step, from the outermost. */
function ancestors(step) {
  const chain = [];
  for (let outer = step.outer; outer; outer = outer.outer) chain.unshift(outer);
  return chain;
}

/** The innermost step of a machine at a time, or else the last one before. */
function stepAt(machine, at) {
  let found;
  for (const step of run.steps) {
    const isEvent = step.kind === "note" || step.kind === "picture";
    if (isEvent || step.machine !== machine.number || step.start > at) continue;
    const isBetter = !found || (step.end >= at) >= (found.end >= at);
    if (isBetter) found = step;
  }
  return found;
}

/** The pictures of a machine in order, or of all machines. */
function picturesOf(machine) {
  return run.steps.flatMap((step) =>
    machine === undefined || step.machine === machine.number
      ? step.entries.filter((entry) => entry.picture && run.pictures[entry.picture.picture])
      : [],
  );
}

/** The index of the first of sorted times that is not before `at`. */
function lowerBound(times, at) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Formats milliseconds as a duration. */
function duration(ms) {
  const hundredths = Math.round(ms / 10);
  if (hundredths < 6_000) return `${(hundredths / 100).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Formats a time of the run without a unit: `12.34` or `2:05.3`. */
function clock(ms) {
  const hundredths = Math.round(ms / 10);
  if (hundredths < 6_000) return (hundredths / 100).toFixed(2);
  const tenths = Math.round(ms / 100);
  const seconds = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${Math.floor(tenths / 600)}:${seconds}`;
}

/** Formats a time of the run with its unit. */
function time(ms) {
  const text = clock(ms);
  return `${text} ${text.includes(":") ? "min" : "s"}`;
}

function count(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

const OUTCOMES = {
  passed: "passed",
  failed: "failed",
  cancelled: "interrupted",
  "timed-out": "ran out of time",
};

/** Creates an element with properties and children: elements or text. */
function element(tag, properties, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...inside.filter((part) => part !== undefined && part !== null));
  return made;
}

/** A machine's name in its colour. */
function nameOf(machine) {
  return element("span", { className: `name m${machine.number % 6}` }, machine.name);
}

/** Text with the matches of a search marked. */
function marked(text, query) {
  if (!query) return [text];
  const [parts, lower] = [[], text.toLowerCase()];
  // Some characters change their length in lower case.
  if (lower.length !== text.length) return [text];
  let from = 0;
  for (let at = lower.indexOf(query); at >= 0; at = lower.indexOf(query, from)) {
    parts.push(text.slice(from, at), element("mark", null, text.slice(at, at + query.length)));
    from = at + query.length;
  }
  return [...parts, text.slice(from)];
}

/** A link to a file beside the page. */
function fileLink(name, text) {
  const href = [run.files, name].map(encodeURIComponent).join("/");
  return element("a", { href }, text);
}
