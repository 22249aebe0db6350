// The failure, at the top of the page.

/** How many of the console's last lines are shown. */
const LAST_LINES = 12;

/** Shows which step failed, why, and what was to be seen then; nothing if all went well. */
function showFailure(go) {
  const box = document.getElementById("failure");
  const step = run.steps[run.root_cause];
  if (run.outcome === "passed" || (!step && !run.message)) return;
  box.hidden = false;
  box.append(
    element("div", { className: "report" }, ...(step ? failedStep(step, go) : []), ...storyOf(step)),
    element("div", { className: "evidence" }, ...evidence(step)),
  );
  for (const pre of box.querySelectorAll(".console")) pre.scrollTop = pre.scrollHeight;
}

function failedStep(step, go) {
  const machine = machineOf(step);
  const trail = outwards(step).map((outer) =>
    element("li", null, element("button", { type: "button", onclick: () => go(outer) }, firstLine(outer.what))),
  );
  const verb = step.outcome === "failed" ? "failed" : "was under way";
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

/** The step's own story, and that of the run, with what both have in common said once. */
function storyOf(step) {
  const own = step?.error ?? "";
  const [gist] = own.split("\n");
  const rest = own ? run.message.replace(own, () => gist) : run.message;
  const isMore = rest && rest !== gist && rest !== own;
  return [
    ...(own && own !== run.message ? [element("pre", { className: "story", tabIndex: 0 }, own)] : []),
    ...(isMore && own && own !== run.message ? [element("h3", null, "where the script was")] : []),
    ...(isMore ? [element("pre", { className: own && own !== run.message ? "" : "story", tabIndex: 0 }, rest)] : []),
    ...(run.message && !isMore && own === run.message ? [element("pre", { className: "story", tabIndex: 0 }, own)] : []),
  ];
}

/** The last picture and the last lines of the step's machine; of each, if it has none. */
function evidence(step) {
  const machine = step && machineOf(step);
  const machines = machine ? [machine] : run.machines.slice(0, 3);
  return machines.flatMap((machine) => {
    const shown = picturesOf(machine).at(-1);
    const { lines, at } = machine.console;
    const end = step ? firstAt(at, step.end + 1) : lines.length;
    const last = lines.slice(Math.max(end - LAST_LINES, 0), end);
    return [
      ...(shown ? [element("h3", null, nameOf(machine), `: the last picture, at ${time(shown.at)}`), thumbnail(shown)] : []),
      ...(last.length > 0
        ? [
            element("h3", null, nameOf(machine), ": the console until then"),
            element("pre", { tabIndex: 0, className: "console" }, ...coloured(last.join("\n"))),
          ]
        : []),
    ];
  });
}
