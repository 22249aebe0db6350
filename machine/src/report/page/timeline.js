// The timeline of all machines.

const ROW = 19;
const LANE_GAP = 9;
const AXIS = 22;

/** The maximum number of rows of a machine. Steps nested deeper are on the last one. */
const MAX_ROWS = 5;

/** The timeline. It calls `choose(step)` when the user selects a step. */
function makeTimeline(choose) {
  const section = document.getElementById("timeline");
  const canvas = section.querySelector("canvas");
  const tip = section.querySelector(".tip");
  const lanes = makeLanes();
  const total = Math.max(run.took, ...run.steps.map((step) => step.end), 1);
  let [from, to] = [0, total];
  let chosen, dragged, isScheduled;

  const gutter = Math.min(Math.max(...lanes.map(({ name }) => name.length * 8 + 24), 60), 150);
  const height = AXIS + lanes.reduce((sum, lane) => sum + lane.rows * ROW + LANE_GAP, 0);
  canvas.style.height = `${height}px`;

  function width() {
    return Math.max(canvas.clientWidth - gutter - 12, 50);
  }

  function x(at) {
    return gutter + ((at - from) / (to - from)) * width();
  }

  function timeAt(x) {
    return from + ((x - gutter) / width()) * (to - from);
  }

  function show(nextFrom, nextTo) {
    const span = Math.min(Math.max(nextTo - nextFrom, 20), total);
    from = Math.min(Math.max(nextFrom, 0), total - span);
    to = from + span;
    redraw();
  }

  function zoom(factor, at = (from + to) / 2) {
    show(at - (at - from) * factor, at + (to - at) * factor);
  }

  function redraw() {
    if (!isScheduled) requestAnimationFrame(draw);
    isScheduled = true;
  }

  function draw() {
    isScheduled = false;
    const scale = devicePixelRatio;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    pen.scale(scale, scale);
    pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    pen.textBaseline = "middle";
    drawAxis(pen, colour);
    let top = AXIS;
    for (const lane of lanes) {
      lane.top = top;
      drawLane(pen, colour, lane);
      top += lane.rows * ROW + LANE_GAP;
    }
  }

  function drawAxis(pen, colour) {
    const steps = [1, 2, 5].flatMap((unit) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map((ten) => unit * ten));
    const apart = Math.min(...steps.filter((ms) => ((to - from) / ms) * 90 <= width()));
    if (!Number.isFinite(apart)) return;
    for (let at = Math.ceil(from / apart) * apart; at <= to; at += apart) {
      pen.fillStyle = colour("line");
      pen.fillRect(Math.round(x(at)), AXIS - 4, 1, height - AXIS);
      pen.fillStyle = colour("soft");
      const label = time(at);
      const end = x(at) + 4 + pen.measureText(label).width;
      if (end < gutter + width()) pen.fillText(label, x(at) + 4, AXIS / 2);
    }
  }

  function drawLane(pen, colour, lane) {
    const ink = lane.machine ? colour(`m${lane.machine.number % 6}`) : colour("soft");
    pen.fillStyle = ink;
    pen.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
    pen.fillText(lane.name, 12, lane.top + ROW / 2, gutter - 16);
    pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    pen.save();
    pen.beginPath();
    pen.rect(gutter, 0, width() + 12, height);
    pen.clip();
    // Steps on the same pixel are drawn once.
    const drawn = Array.from({ length: lane.rows }, () => -1);
    for (const step of lane.steps) {
      if (step.end < from || step.start > to) continue;
      const [left, right] = [Math.max(x(step.start), gutter - 5), Math.min(x(step.end), gutter + width() + 17)];
      const isHighlighted = step.outcome === "failed" || step === chosen;
      if (right <= drawn[step.line] && !isHighlighted) continue;
      drawn[step.line] = Math.max(Math.ceil(right), drawn[step.line]);
      drawStep(pen, colour, ink, step, lane.top + step.line * ROW, left, Math.max(right - left, 1.5));
    }
    pen.restore();
  }

  function drawStep(pen, colour, ink, step, top, left, length) {
    const fill = step.outcome === "failed" ? colour("bad") : step.outcome === "cancelled" ? colour("warn") : ink;
    pen.beginPath();
    pen.roundRect(left, top + 1, Math.max(length - 1, 1.5), ROW - 2, Math.min(3, length / 2));
    pen.globalAlpha = step === chosen ? 0.5 : step.kind === "note" ? 0.7 : 0.22;
    pen.fillStyle = fill;
    pen.fill();
    pen.globalAlpha = 1;
    if (step === chosen || step.outcome === "failed") {
      pen.lineWidth = step === chosen ? 2 : 1;
      pen.strokeStyle = step === chosen ? colour("accent") : fill;
      pen.stroke();
    }
    if (length < 36) return;
    pen.save();
    pen.clip();
    pen.fillStyle = colour("ink");
    pen.fillText(firstLine(step.what).slice(0, 200), left + 6, top + ROW / 2 + 0.5);
    pen.restore();
  }

  function stepUnder(event) {
    const { offsetX, offsetY } = event;
    const lane = lanes.find(({ top, rows }) => offsetY >= top && offsetY < top + rows * ROW);
    if (!lane || offsetX < gutter) return undefined;
    const line = Math.floor((offsetY - lane.top) / ROW);
    const near = (step) => x(step.start) - 2 <= offsetX && offsetX <= Math.max(x(step.end), x(step.start) + 2) + 2;
    const under = lane.steps.filter((step) => step.line === line && near(step));
    return under.find((step) => step.outcome === "failed") ?? under.at(-1);
  }

  function showTip(event) {
    const step = dragged?.hasMoved ? undefined : stepUnder(event);
    tip.hidden = !step;
    if (!step) return;
    tip.textContent = `${firstLine(step.what)} — ${duration(step.end - step.start)}`;
    const { left, top } = section.getBoundingClientRect();
    const farthest = section.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(Math.min(event.clientX - left + 12, farthest), 8)}px`;
    tip.style.top = `${event.clientY - top + 16}px`;
  }

  canvas.addEventListener("pointerdown", (event) => {
    dragged = { x: event.offsetX, from, to, hasMoved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    showTip(event);
    if (!dragged || Math.abs(event.offsetX - dragged.x) < 4) return;
    dragged.hasMoved = true;
    const moved = ((event.offsetX - dragged.x) / width()) * (dragged.to - dragged.from);
    show(dragged.from - moved, dragged.to - moved);
  });
  canvas.addEventListener("pointerup", (event) => {
    const step = dragged?.hasMoved ? undefined : stepUnder(event);
    dragged = undefined;
    if (step) choose(step);
  });
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  canvas.addEventListener("dblclick", (event) => {
    const step = stepUnder(event);
    if (step) show(step.start - (step.end - step.start) * 0.1, step.end + (step.end - step.start) * 0.1);
  });
  canvas.addEventListener("wheel", (event) => {
    const isZoom = event.ctrlKey || event.metaKey;
    if (!isZoom && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    if (isZoom) zoom(Math.exp(event.deltaY / 300), timeAt(event.offsetX));
    else show(from + (event.deltaX / width()) * (to - from), to + (event.deltaX / width()) * (to - from));
  }, { passive: false });
  new ResizeObserver(redraw).observe(section);

  return {
    redraw,
    zoom,
    all: () => show(0, total),
    /** Moves by a fraction of the visible time. */
    move: (fraction) => show(from + fraction * (to - from), to + fraction * (to - from)),
    /** Marks a step, and moves there if it is not visible. */
    choose(step) {
      chosen = step;
      const middle = (step.start + step.end) / 2;
      if (step.end < from || step.start > to) show(middle - (to - from) / 2, middle + (to - from) / 2);
      redraw();
    },
  };
}

/** A lane for the test, and one for each machine, with their steps arranged in lines. */
function makeLanes() {
  const lanes = [{ name: "test", steps: [] }, ...run.machines.map((machine) => ({ name: machine.name, machine, steps: [] }))];
  for (const step of run.steps) lanes[step.machine === undefined ? 0 : step.machine + 1].steps.push(step);
  for (const lane of lanes) {
    lane.steps.sort((a, b) => a.start - b.start || a.number - b.number);
    const ends = [];
    for (const step of lane.steps) {
      const isWithin = step.outer && step.outer.machine === step.machine;
      let line = isWithin ? step.outer.line + 1 : 0;
      while (line < MAX_ROWS - 1 && ends[line] > step.start) line++;
      step.line = Math.min(line, MAX_ROWS - 1);
      ends[step.line] = Math.max(step.end, ends[step.line] ?? 0);
    }
    lane.rows = Math.max(ends.length, 1);
  }
  return lanes.filter((lane) => lane.machine || lane.steps.length > 0);
}
