// The machines' serial consoles.

/** The height of a line in pixels. */
const LINE_HEIGHT = 18;

/** The consoles. They call `chooseTime(machine, at)` when the user selects a line. */
function makeConsole(chooseTime) {
  const box = document.getElementById("lines");
  const tabs = document.getElementById("tabs");
  let machine, step, query, chosenLine, isAtMatch;

  const list = makeList(box, LINE_HEIGHT, (number) => {
    const { console } = machine;
    const isGap = console.left_out > 0 && number === console.head;
    if (isGap) {
      const text = `${count(console.left_out, "line")} left out `;
      const all = console.file ? fileLink(console.file, "show all") : undefined;
      return element("div", { className: "row gap", role: "listitem" }, element("span", { className: "at" }), text, all);
    }
    const line = lineOf(number);
    const at = console.at[line];
    const isDuring = step?.machine === machine.number && at >= step.start && at <= step.end;
    const tone = line === chosenLine ? "chosen" : isDuring ? "during" : "";
    return element(
      "div",
      {
        className: `row ${tone}`,
        role: "listitem",
        onclick: () => {
          chosenLine = line;
          chooseTime(machine, at);
        },
      },
      element("span", { className: "at" }, clock(at)),
      element("span", null, ...coloured(console.lines[line], query)),
    );
  });

  function has(line, text) {
    return plain(line).toLowerCase().includes(text);
  }

  function hasGap() {
    return machine.console.left_out > 0;
  }

  function lineOf(row) {
    return hasGap() && row > machine.console.head ? row - 1 : row;
  }

  function rowOf(line) {
    return hasGap() && line >= machine.console.head ? line + 1 : line;
  }

  function switchTo(other) {
    if (!other) return;
    machine = other;
    [chosenLine, isAtMatch] = [undefined, false];
    for (const [number, tab] of [...tabs.children].entries()) {
      tab.setAttribute("aria-selected", number === machine.number);
    }
    list.setLength(machine.console.lines.length + (hasGap() ? 1 : 0));
    box.scrollTop = 0;
  }

  tabs.append(
    ...run.machines.map((machine) =>
      element("button", { type: "button", role: "tab", onclick: () => switchTo(machine) }, nameOf(machine)),
    ),
  );
  if (run.machines.length > 0) switchTo(run.machines[0]);
  else box.append(element("p", { className: "empty" }, "There is no console output."));

  return {
    redraw: () => machine && list.redraw(),
    /** Shows the lines of a step's time. With `keepsPosition`, does not scroll to them. */
    choose(next, keepsPosition) {
      step = next;
      isAtMatch = false;
      const other = machineOf(step);
      if (other && other !== machine) switchTo(other);
      if (!machine) return;
      if (!keepsPosition) {
        chosenLine = undefined;
        const lines = machine.console.at;
        // The last lines of a failed step matter; of others, the first.
        const at = step.outcome === "passed" ? lowerBound(lines, step.start) : lowerBound(lines, step.end + 1) - 1;
        list.show(rowOf(Math.min(Math.max(at, 0), Math.max(lines.length - 1, 0))), true);
      }
      list.redraw();
    },
    beside(offset) {
      const next = run.machines[(machine?.number ?? 0) + offset];
      switchTo(next);
    },
    /** Selects the last selected line if it is visible, or else the first visible one. */
    chooseLine() {
      if (!machine || machine.console.lines.length === 0) return;
      const top = Math.floor(box.scrollTop / LINE_HEIGHT);
      const row = chosenLine === undefined ? -1 : rowOf(chosenLine);
      if (row < top || row * LINE_HEIGHT >= box.scrollTop + box.clientHeight) chosenLine = lineOf(top);
      chooseTime(machine, machine.console.at[chosenLine]);
    },
    isAtMatch: () => isAtMatch,
    /** Goes to the next match, or to the first. Returns whether there is one. */
    nextMatch() {
      let [next, from] = isAtMatch ? [machine, chosenLine + 1] : [run.machines[0], 0];
      isAtMatch = false;
      for (; next && query; next = run.machines[next.number + 1], from = 0) {
        const line = next.console.lines.findIndex((line, number) => number >= from && has(line, query));
        if (line < 0) continue;
        if (next !== machine) switchTo(next);
        [chosenLine, isAtMatch] = [line, true];
        list.show(rowOf(line), true);
        return true;
      }
      return false;
    },
    /** Marks `text`, and goes to its first line. Returns the number of lines with it. */
    search(text) {
      [query, isAtMatch] = [text, false];
      if (!machine) return 0;
      const matches = run.machines.map(({ console }) =>
        text ? console.lines.filter((line) => has(line, text)).length : 0,
      );
      if (text && matches[machine.number] > 0) {
        const line = machine.console.lines.findIndex((line) => has(line, text));
        list.show(rowOf(line), true);
      }
      list.redraw();
      return matches.reduce((all, some) => all + some, 0);
    },
  };
}
