// The failure, at the top of the page.

/** The number of the console's last lines that are shown. */
const LAST_LINES = 12;

/** Shows the failed step, its error and its last screen and console lines, if the run failed. */
function showFailure(go) {
  const box = document.getElementById("failure");
  const step = run.steps[run.root_cause];
  if (run.outcome === "passed" || (!step && !run.message)) return;
  box.hidden = false;
  box.append(
    element("div", { className: "report" }, ...(step ? failedStep(step, go) : []), ...messages(step)),
    element("div", { className: "evidence" }, ...evidence(step)),
  );
  for (const pre of box.querySelectorAll(".console")) pre.scrollTop = pre.scrollHeight;
}

function failedStep(step, go) {
  const machine = machineOf(step);
  const trail = ancestors(step).map((outer) =>
    element("li", null, element("button", { type: "button", onclick: () => go(outer) }, firstLine(outer.what))),
  );
  const verb = step.outcome === "failed" ? "failed" : "was running";
  return [
    element("ol", { className: "trail", "aria-label": "in" }, ...trail),
    element("h2", { className: "what" }, machine && nameOf(machine), machine ? ": " : "", step.what.trim()),
    element(
      "p",
      { className: "when soft" },
      `${verb} at ${time(step.end)} of the run; it took ${duration(step.end - step.start)}`,
      element("button", { type: "button", onclick: () => go(step) }, "Show among the steps ", element("kbd", null, "f")),
    ),
  ];
}

/** The messages of the step and of the run, without repeating the former in the latter. */
function messages(step) {
  const show = (text, className) => element("pre", { className, tabIndex: 0 }, text);
  const own = step?.error ?? "";
  if (!own || own === run.message) return run.message ? [show(run.message, "message")] : [];
  const [summaryLine] = own.split("\n");
  const rest = run.message.replace(own, () => summaryLine);
  const isMore = rest && rest !== summaryLine;
  return [
    show(own, "message"),
    ...(isMore ? [element("h3", null, "the message of the run"), show(rest, "")] : []),
  ];
}

/** The last picture and console lines of the step's machine, or of the first machines. */
function evidence(step) {
  const machine = step && machineOf(step);
  const machines = machine ? [machine] : run.machines.slice(0, 3);
  return machines.flatMap((machine) => {
    const picture = picturesOf(machine).at(-1);
    const { lines, at } = machine.console;
    const end = step ? lowerBound(at, step.end + 1) : lines.length;
    const last = lines.slice(Math.max(end - LAST_LINES, 0), end);
    return [
      ...(picture ? [element("h3", null, nameOf(machine), `: the last screenshot, at ${time(picture.at)}`), thumbnail(picture)] : []),
      ...(last.length > 0
        ? [
            element("h3", null, nameOf(machine), ": the console before the failure"),
            element("pre", { tabIndex: 0, className: "console" }, ...coloured(last.join("\n"))),
          ]
        : []),
    ];
  });
}
