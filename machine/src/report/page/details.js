// The selected step.

/** Shows a step: what was said in it, each command with its output. */
function showDetails(step, wanted) {
  const box = document.getElementById("details");
  const machine = machineOf(step);
  const outcome = step.goesOn ? "was still going on" : OUTCOMES[step.outcome];
  const tone = SIGNS[step.outcome]?.[1] ?? "soft";
  const took = step.end > step.start ? `took ${duration(step.end - step.start)}` : undefined;
  const facts = [`at ${time(step.start)}`, took].filter(Boolean).join(", ");
  box.replaceChildren(
    element("div", { className: "what" }, ...marked(step.what, wanted)),
    element(
      "p",
      { className: "meta soft" },
      machine && nameOf(machine),
      machine ? " · " : "",
      outcome && element("span", { className: tone }, outcome),
      outcome ? " · " : "",
      facts,
    ),
    ...(step.error ? [element("pre", { className: "story", tabIndex: 0 }, ...marked(step.error, wanted))] : []),
    ...step.entries.flatMap((entry) => showEntry(step, entry, wanted)),
  );
  box.scrollTop = 0;
}

function showEntry(step, entry, wanted) {
  if (entry.log) {
    const { level, text, command_line } = entry.log;
    const tone = { error: "bad", warning: "warn" }[level] ?? "";
    const line = element("p", { className: tone }, `${clock(entry.at)}  `, ...marked(text, wanted));
    return command_line ? [line, element("pre", { tabIndex: 0 }, ...marked(command_line, wanted))] : [line];
  }
  if (entry.command) return showCommand(step, entry, wanted);
  return [
    element("h3", null, `the screen at ${time(entry.at)}`),
    thumbnail(entry),
    ...(entry.picture.path ? [element("p", { className: "soft" }, entry.picture.path)] : []),
  ];
}

function showCommand(step, { at, command }, wanted) {
  const isNews = !step.what.includes(command.command);
  const status =
    command.status === null ? "no status" : command.status === 0 ? "exit code 0" : `exit code ${command.status}`;
  const tone = command.status ? "warn" : "soft";
  const times = command.times > 1 ? `, ${command.times} times, last` : "";
  return [
    element("h3", null, element("span", { className: tone }, status), `${times} at ${time(at)}`),
    ...(isNews ? [element("pre", { tabIndex: 0 }, ...marked(command.command.trim(), wanted))] : []),
    ...(command.error ? [element("pre", { className: "story", tabIndex: 0 }, command.error)] : []),
    ...(command.output?.text || command.output?.cut ? [showText(command.output, wanted)] : []),
  ];
}

/** A text, and where it was cut the link to all of it. */
function showText({ text, cut }, wanted) {
  if (!cut) return element("pre", { className: "output", tabIndex: 0 }, ...coloured(text.trimEnd(), wanted));
  const gap = `… ${count(cut.left_out, "byte")} left out … `;
  return element(
    "pre",
    { className: "output", tabIndex: 0 },
    ...coloured(text, wanted),
    element("span", { className: "gap" }, gap, cut.file && fileLink(cut.file, "all of it")),
    ...coloured(cut.tail, wanted),
  );
}
