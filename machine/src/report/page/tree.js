// The tree of steps.

const SIGNS = { passed: ["✓", "good"], failed: ["✗", "bad"], cancelled: ["–", "warn"] };

/** The tree. It calls `choose(step)` when the user selects a step. */
function makeTree(choose) {
  const box = document.getElementById("tree");
  const opened = new Set(run.steps.filter((step) => step.machine === undefined));
  let rows = [];
  let chosen, query, matches;

  const list = makeList(box, 26, (number) => {
    const step = rows[number];
    const machine = machineOf(step);
    const [sign, tone] = step.isRunning ? ["…", "warn"] : (SIGNS[step.outcome] ?? ["›", "soft"]);
    const isFaint = matches && !matches.has(step);
    const row = element(
      "div",
      {
        id: `step-${step.number}`,
        className: [
          "row",
          step.outcome ?? step.kind,
          machine || !step.outcome ? "" : "group",
          isFaint ? "faint" : "",
          step === chosen ? "chosen" : "",
        ].join(" "),
        role: "treeitem",
        ariaLevel: step.depth + 1,
        ariaSelected: step === chosen,
        title: step.what,
        onclick: () => choose(step),
        ondblclick: () => toggle(step),
      },
      element(
        "span",
        { className: "twist", onclick: () => toggle(step) },
        step.inner.length === 0 ? "" : isOpen(step) ? "▼" : "▶",
      ),
      element("span", { className: `sign ${tone}` }, sign),
      machine && nameOf(machine),
      element("span", { className: "what" }, ...marked(firstLine(step.what), query)),
      step.outcome || step.isRunning || step.kind === "command"
        ? element("span", { className: "took" }, duration(step.end - step.start))
        : undefined,
    );
    row.style.paddingLeft = `${8 + Math.min(step.depth, 12) * 18}px`;
    if (step.inner.length > 0) row.ariaExpanded = isOpen(step);
    return row;
  });

  /** All steps are open during a search, so that matches are visible. */
  function isOpen(step) {
    return matches !== undefined || opened.has(step);
  }

  function layOut() {
    rows = [];
    const pending = [...run.roots].reverse();
    while (pending.length > 0) {
      const step = pending.pop();
      if (matches && !step.leadsToMatch) continue;
      rows.push(step);
      if (isOpen(step)) {
        for (let i = step.inner.length - 1; i >= 0; i--) pending.push(step.inner[i]);
      }
    }
    rows.forEach((step, number) => (step.row = number));
    list.setLength(rows.length);
    const facts = matches ? `${matches.size.toLocaleString("en")} found` : "";
    document.getElementById("step-facts").textContent = facts;
  }

  function toggle(step, isToOpen = !opened.has(step)) {
    if (isToOpen) opened.add(step);
    else opened.delete(step);
    layOut();
  }

  function has(step) {
    return rows[step.row] === step;
  }

  layOut();
  return {
    redraw: list.redraw,
    toggle,
    isOpen,
    /** Marks a step, and scrolls to it. */
    choose(step, isMiddle) {
      chosen = step;
      if (!has(step)) {
        ancestors(step).forEach((outer) => opened.add(outer));
        layOut();
      }
      if (has(step)) list.show(step.row, isMiddle);
      box.setAttribute("aria-activedescendant", `step-${step.number}`);
    },
    /** The step `offset` rows after the selected one. */
    beside(offset) {
      const at = chosen && has(chosen) ? chosen.row + offset : 0;
      return rows[Math.min(Math.max(at, 0), rows.length - 1)];
    },
    /** Shows only steps that contain `text`, and those around them. Returns the number of matches. */
    search(text) {
      query = text;
      matches = text ? new Set(run.steps.filter((step) => searchText(step).includes(text))) : undefined;
      if (matches) {
        for (const step of run.steps) step.leadsToMatch = false;
        for (const match of matches) {
          for (let step = match; step && !step.leadsToMatch; step = step.outer) step.leadsToMatch = true;
        }
      } else if (chosen) {
        ancestors(chosen).forEach((outer) => opened.add(outer));
      }
      layOut();
      if (chosen && has(chosen)) list.show(chosen.row, true);
      return matches?.size ?? 0;
    },
    /** The next match after the selected step. */
    nextMatch() {
      const at = chosen && has(chosen) ? chosen.row : -1;
      return rows.find((step) => step.row > at && matches?.has(step));
    },
    firstMatch() {
      return rows.find((step) => matches?.has(step));
    },
  };
}

function firstLine(text) {
  const end = text.trimStart().indexOf("\n");
  return end < 0 ? text : `${text.trimStart().slice(0, end)} …`;
}
