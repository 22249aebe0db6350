// Long lists.

/**
 * A list of rows of equal height, of which only the visible ones exist. `makeRow(number)`
 * creates one.
 */
function makeList(box, height, makeRow) {
  const space = element("div", { className: "space", role: "presentation" });
  box.replaceChildren(space);
  let [length, isScheduled] = [0, false];

  function draw() {
    isScheduled = false;
    const first = Math.max(Math.floor(box.scrollTop / height) - 5, 0);
    const last = Math.min(Math.ceil((box.scrollTop + box.clientHeight) / height) + 5, length);
    const rows = [];
    for (let number = first; number < last; number++) {
      const row = makeRow(number);
      row.style.top = `${number * height}px`;
      row.style.height = `${height}px`;
      rows.push(row);
    }
    // Rows have absolute positions, so they do not widen their container.
    space.replaceChildren(...rows);
    const width = Math.max(...rows.map((row) => row.scrollWidth), 0);
    if (width > space.clientWidth) space.style.minWidth = `${width}px`;
  }

  function redraw() {
    if (!isScheduled) requestAnimationFrame(draw);
    isScheduled = true;
  }

  box.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(redraw).observe(box);
  return {
    redraw,
    setLength(rows) {
      length = rows;
      space.style.height = `${rows * height}px`;
      space.style.minWidth = "";
      redraw();
    },
    /** Scrolls to a row: to the middle if `isMiddle` or if the row is not visible. */
    show(number, isMiddle) {
      const top = number * height;
      const isVisible = top >= box.scrollTop && top + height <= box.scrollTop + box.clientHeight;
      if (isMiddle || !isVisible) box.scrollTop = top - (box.clientHeight - height) / 2;
      redraw();
    },
  };
}
