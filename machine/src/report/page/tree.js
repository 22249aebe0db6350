// The tree of steps.

const SIGNS = { passed: ["✓", "good"], failed: ["✗", "bad"], cancelled: ["–", "warn"] };

/** The tree; `choose(step)` is called when somebody chooses one. */
function makeTree(choose) {
  const box = document.getElementById("tree");
  const opened = new Set(run.steps.filter((step) => step.machine === undefined));
  let rows = [];
  let chosen, wanted, finds;

  const list = makeList(box, 26, (number) => {
    const step = rows[number];
    const machine = machineOf(step);
    const [sign, tone] = step.goesOn ? ["…", "warn"] : (SIGNS[step.outcome] ?? ["›", "soft"]);
    const isFaint = finds && !finds.has(step);
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
      element("span", { className: "what" }, ...marked(firstLine(step.what), wanted)),
      step.outcome || step.goesOn || step.kind === "command"
        ? element("span", { className: "took" }, duration(step.end - step.start))
        : undefined,
    );
    row.style.paddingLeft = `${8 + Math.min(step.depth, 12) * 18}px`;
    if (step.inner.length > 0) row.ariaExpanded = isOpen(step);
    return row;
  });

  /** All are open while something is searched, so that finds are in sight. */
  function isOpen(step) {
    return finds !== undefined || opened.has(step);
  }

  function lay() {
    rows = [];
    const pending = [...run.roots].reverse();
    while (pending.length > 0) {
      const step = pending.pop();
      if (finds && !step.isOnTheWay) continue;
      rows.push(step);
      if (isOpen(step)) {
        for (let i = step.inner.length - 1; i >= 0; i--) pending.push(step.inner[i]);
      }
    }
    rows.forEach((step, number) => (step.row = number));
    list.setLength(rows.length);
    const facts = finds ? `${finds.size.toLocaleString("en")} found` : "";
    document.getElementById("step-facts").textContent = facts;
  }

  function toggle(step, isToOpen = !opened.has(step)) {
    if (isToOpen) opened.add(step);
    else opened.delete(step);
    lay();
  }

  function has(step) {
    return rows[step.row] === step;
  }

  lay();
  return {
    redraw: list.redraw,
    toggle,
    isOpen,
    /** Marks a step, and has it in sight. */
    choose(step, isMiddle) {
      chosen = step;
      if (!has(step)) {
        outwards(step).forEach((outer) => opened.add(outer));
        lay();
      }
      if (has(step)) list.show(step.row, isMiddle);
      box.setAttribute("aria-activedescendant", `step-${step.number}`);
    },
    /** The row that is so many behind the chosen one. */
    beside(offset) {
      const at = chosen && has(chosen) ? chosen.row + offset : 0;
      return rows[Math.min(Math.max(at, 0), rows.length - 1)];
    },
    /** Shows only steps with `text` in them, and those around these: how many. */
    search(text) {
      wanted = text;
      finds = text ? new Set(run.steps.filter((step) => words(step).includes(text))) : undefined;
      if (finds) {
        for (const step of run.steps) step.isOnTheWay = false;
        for (const find of finds) {
          for (let step = find; step && !step.isOnTheWay; step = step.outer) step.isOnTheWay = true;
        }
      } else if (chosen) {
        outwards(chosen).forEach((outer) => opened.add(outer));
      }
      lay();
      if (chosen && has(chosen)) list.show(chosen.row, true);
      return finds?.size ?? 0;
    },
    /** The find after the chosen step, if there is one. */
    nextFind() {
      const at = chosen && has(chosen) ? chosen.row : -1;
      return rows.find((step) => step.row > at && finds?.has(step));
    },
    firstFind() {
      return rows.find((step) => finds?.has(step));
    },
  };
}

function firstLine(text) {
  const end = text.trimStart().indexOf("\n");
  return end < 0 ? text : `${text.trimStart().slice(0, end)} …`;
}
