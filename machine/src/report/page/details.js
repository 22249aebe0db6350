// The selected step.

/** Shows a step with its messages, and its commands with their outputs. */
function showDetails(step, query) {
  const box = document.getElementById("details");
  const machine = machineOf(step);
  const outcome = step.isRunning ? "was still running" : OUTCOMES[step.outcome];
  const tone = SIGNS[step.outcome]?.[1] ?? "soft";
  const took = step.end > step.start ? `took ${duration(step.end - step.start)}` : undefined;
  const facts = [`at ${time(step.start)}`, took].filter(Boolean).join(", ");
  box.replaceChildren(
    element("div", { className: "what" }, ...marked(step.what, query)),
    element(
      "p",
      { className: "meta soft" },
      machine && nameOf(machine),
      machine ? " · " : "",
      outcome && element("span", { className: tone }, outcome),
      outcome ? " · " : "",
      facts,
    ),
    ...(step.error ? [element("pre", { className: "message", tabIndex: 0 }, ...marked(step.error, query))] : []),
    ...step.entries.flatMap((entry) => showEntry(step, entry, query)),
  );
  box.scrollTop = 0;
}

function showEntry(step, entry, query) {
  if (entry.log) {
    const { level, text, command_line } = entry.log;
    const tone = { error: "bad", warning: "warn" }[level] ?? "";
    const line = element("p", { className: tone }, `${clock(entry.at)}  `, ...marked(text, query));
    return command_line ? [line, element("pre", { tabIndex: 0 }, ...marked(command_line, query))] : [line];
  }
  if (entry.command) return showCommand(step, entry, query);
  return [
    element("h3", null, `the screen at ${time(entry.at)}`),
    thumbnail(entry),
    ...(entry.picture.path ? [element("p", { className: "soft" }, entry.picture.path)] : []),
  ];
}

function showCommand(step, { at, command }, query) {
  const isOther = !step.what.includes(command.command);
  const status =
    command.status === null ? "no status" : command.status === 0 ? "exit code 0" : `exit code ${command.status}`;
  const tone = command.status ? "warn" : "soft";
  const times = command.times > 1 ? `, ${command.times} times, last` : "";
  return [
    element("h3", null, element("span", { className: tone }, status), `${times} at ${time(at)}`),
    ...(isOther ? [element("pre", { tabIndex: 0 }, ...marked(command.command.trim(), query))] : []),
    ...(command.error ? [element("pre", { className: "message", tabIndex: 0 }, command.error)] : []),
    ...(command.output?.text || command.output?.cut ? [showText(command.output, query)] : []),
  ];
}

/** A text. If it is truncated, with a link to the whole text. */
function showText({ text, cut }, query) {
  if (!cut) return element("pre", { className: "output", tabIndex: 0 }, ...coloured(text.trimEnd(), query));
  const gap = `… ${count(cut.left_out, "byte")} left out … `;
  return element(
    "pre",
    { className: "output", tabIndex: 0 },
    ...coloured(text, query),
    element("span", { className: "gap" }, gap, cut.file && fileLink(cut.file, "show all")),
    ...coloured(cut.tail, query),
  );
}
