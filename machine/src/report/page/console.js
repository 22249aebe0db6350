// The machines' serial consoles.

/** How high a line is, in pixels. */
const LINE_HEIGHT = 18;

/** The consoles; `chooseTime(machine, at)` is called when somebody chooses a line. */
function makeConsole(chooseTime) {
  const box = document.getElementById("lines");
  const tabs = document.getElementById("tabs");
  let machine, step, wanted, chosenLine, isAtFind;

  const list = makeList(box, LINE_HEIGHT, (number) => {
    const { console } = machine;
    const isGap = console.left_out > 0 && number === console.head;
    if (isGap) {
      const text = `${count(console.left_out, "line")} left out `;
      const all = console.file ? fileLink(console.file, "all of them") : undefined;
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
      element("span", null, ...coloured(console.lines[line], wanted)),
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

  function turnTo(other) {
    if (!other) return;
    machine = other;
    [chosenLine, isAtFind] = [undefined, false];
    for (const [number, tab] of [...tabs.children].entries()) {
      tab.setAttribute("aria-selected", number === machine.number);
    }
    list.setLength(machine.console.lines.length + (hasGap() ? 1 : 0));
    box.scrollTop = 0;
  }

  tabs.append(
    ...run.machines.map((machine) =>
      element("button", { type: "button", role: "tab", onclick: () => turnTo(machine) }, nameOf(machine)),
    ),
  );
  if (run.machines.length > 0) turnTo(run.machines[0]);
  else box.append(element("p", { className: "empty" }, "No machine said anything."));

  return {
    redraw: () => machine && list.redraw(),
    /** Shows what a console said in a step; `keeps` its place, if that was chosen. */
    choose(next, keeps) {
      step = next;
      isAtFind = false;
      const other = machineOf(step);
      if (other && other !== machine) turnTo(other);
      if (!machine) return;
      if (!keeps) {
        chosenLine = undefined;
        const lines = machine.console.at;
        // What failed shows what was last; else what was first.
        const at = step.outcome === "passed" ? firstAt(lines, step.start) : firstAt(lines, step.end + 1) - 1;
        list.show(rowOf(Math.min(Math.max(at, 0), Math.max(lines.length - 1, 0))), true);
      }
      list.redraw();
    },
    beside(offset) {
      const next = run.machines[(machine?.number ?? 0) + offset];
      turnTo(next);
    },
    /** Chooses the line that was found or chosen before, if it is in sight, else the first. */
    chooseLine() {
      if (!machine || machine.console.lines.length === 0) return;
      const top = Math.floor(box.scrollTop / LINE_HEIGHT);
      const row = chosenLine === undefined ? -1 : rowOf(chosenLine);
      if (row < top || row * LINE_HEIGHT >= box.scrollTop + box.clientHeight) chosenLine = lineOf(top);
      chooseTime(machine, machine.console.at[chosenLine]);
    },
    isAtFind: () => isAtFind,
    /** Goes to the find after the one that it is at, or to the first; whether there is one. */
    nextFind() {
      let [next, from] = isAtFind ? [machine, chosenLine + 1] : [run.machines[0], 0];
      isAtFind = false;
      for (; next && wanted; next = run.machines[next.number + 1], from = 0) {
        const line = next.console.lines.findIndex((line, number) => number >= from && has(line, wanted));
        if (line < 0) continue;
        if (next !== machine) turnTo(next);
        [chosenLine, isAtFind] = [line, true];
        list.show(rowOf(line), true);
        return true;
      }
      return false;
    },
    /** Marks `text`, and goes to the first line with it: in how many it is. */
    search(text) {
      [wanted, isAtFind] = [text, false];
      if (!machine) return 0;
      const finds = run.machines.map(({ console }) =>
        text ? console.lines.filter((line) => has(line, text)).length : 0,
      );
      if (text && finds[machine.number] > 0) {
        const line = machine.console.lines.findIndex((line) => has(line, text));
        list.show(rowOf(line), true);
      }
      list.redraw();
      return finds.reduce((all, some) => all + some, 0);
    },
  };
}
