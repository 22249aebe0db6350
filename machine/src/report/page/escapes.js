// Terminal escape sequences, which recorded texts have in escaped form: `\x1b[31m`.

const ESCAPE = /\\x1b(?:\[([0-9;?]*)([A-Za-z])|[A-Za-z78])/g;

/** Text without escape sequences. */
function plain(text) {
  return text.includes("\\x1b") ? text.replace(ESCAPE, "") : text;
}

/** Text with its colours. All other sequences are shown as a dot. */
function coloured(text, query) {
  if (!text.includes("\\x1b")) return marked(text, query);
  const parts = [];
  let [from, classes] = [0, ""];
  const add = (piece) => {
    if (piece === "") return;
    const inside = marked(piece, query);
    parts.push(...(classes ? [element("span", { className: classes }, ...inside)] : inside));
  };
  for (const found of text.matchAll(ESCAPE)) {
    const [whole, numbers, letter] = found;
    add(text.slice(from, found.index));
    from = found.index + whole.length;
    if (letter === "m") classes = colours(numbers, classes);
    else parts.push(element("span", { className: "escape", title: whole }, "·"));
  }
  add(text.slice(from));
  return parts;
}

/** Applies the numbers of a colour sequence to the classes `before` it. */
function colours(numbers, before) {
  const classes = new Set(before.split(" ").filter(Boolean));
  for (const number of numbers.split(";").map(Number)) {
    if (number === 0) classes.clear();
    else if (number === 1) classes.add("bold");
    const isColour = (number >= 30 && number <= 37) || (number >= 90 && number <= 97);
    if (!isColour && number !== 39) continue;
    for (const name of classes) if (name.startsWith("c")) classes.delete(name);
    if (isColour) classes.add(`c${number % 10}`);
  }
  return [...classes].join(" ");
}
