// Long lists.

/**
 * A list of rows of one height, of which only those in sight are there. `fill(number)` makes
 * a row.
 */
function makeList(box, height, fill) {
  const space = element("div", { className: "space", role: "presentation" });
  box.replaceChildren(space);
  let [length, isDue] = [0, false];

  function draw() {
    isDue = false;
    const first = Math.max(Math.floor(box.scrollTop / height) - 5, 0);
    const last = Math.min(Math.ceil((box.scrollTop + box.clientHeight) / height) + 5, length);
    const rows = [];
    for (let number = first; number < last; number++) {
      const row = fill(number);
      row.style.top = `${number * height}px`;
      row.style.height = `${height}px`;
      rows.push(row);
    }
    // Rows are placed by hand: the widest has to be told of.
    space.replaceChildren(...rows);
    const width = Math.max(...rows.map((row) => row.scrollWidth), 0);
    if (width > space.clientWidth) space.style.minWidth = `${width}px`;
  }

  function redraw() {
    if (!isDue) requestAnimationFrame(draw);
    isDue = true;
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
    /** Scrolls so that a row is in sight; in the middle, if it was not or is to be. */
    show(number, isMiddle) {
      const top = number * height;
      const isInSight = top >= box.scrollTop && top + height <= box.scrollTop + box.clientHeight;
      if (isMiddle || !isInSight) box.scrollTop = top - (box.clientHeight - height) / 2;
      redraw();
    },
  };
}
