// The page: the selection, the search and the keys.

const search = document.getElementById("search");
let selected;

const tree = makeTree((step) => select(step));
const timeline = makeTimeline((step) => select(step));
const consoles = makeConsole((machine, at) => {
  const step = stepAt(machine, at);
  if (step) select(step, { keepsConsole: true, isMiddle: true });
});

/** Selects a step in all parts of the page. */
function select(step, { keepsConsole = false, isMiddle = false } = {}) {
  if (!step) return;
  selected = step;
  tree.choose(step, isMiddle);
  timeline.choose(step);
  showDetails(step, query());
  consoles.choose(step, keepsConsole);
}

/** Selects a step, and scrolls to the steps. */
function goTo(step) {
  if (!step) return;
  endSearch();
  select(step, { isMiddle: true });
  document.querySelector(".panes").scrollIntoView({ block: "end" });
  document.getElementById("tree").focus({ preventScroll: true });
}

function query() {
  return search.value.trim().toLowerCase();
}

function runSearch() {
  const [steps, lines] = [tree.search(query()), consoles.search(query())];
  const text = query() ? `${count(steps, "step")}, ${count(lines, "line")}` : "";
  document.getElementById("found").textContent = text;
  if (selected) showDetails(selected, query());
}

/** Goes to the next match: first in the steps, then in the consoles, then again from the start. */
function nextMatch() {
  const next = consoles.isAtMatch() ? undefined : tree.nextMatch();
  if (!next && consoles.nextMatch()) return;
  const step = next ?? tree.firstMatch();
  if (step) select(step, { isMiddle: true });
  else consoles.nextMatch();
}

function endSearch() {
  if (search.value) {
    search.value = "";
    runSearch();
  }
  search.blur();
}

/** Shows the facts about the whole run. */
function showRun() {
  const badge = document.getElementById("outcome");
  badge.textContent = OUTCOMES[run.outcome];
  badge.classList.add(run.outcome);
  const ended = run.steps.filter((step) => step.outcome).length;
  const facts = [
    duration(run.took),
    count(run.machines.length, "machine"),
    count(ended, "step"),
    new Date(run.date).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    run.left_out > 0 ? `${run.left_out.toLocaleString("en")} steps or lines dropped` : "",
  ];
  document.getElementById("facts").textContent = facts.filter(Boolean).join(" · ");
}

const KEYS = {
  "/": () => search.focus(),
  "?": () => document.getElementById("help").showModal(),
  f: () => goTo(run.steps[run.root_cause]),
  j: () => select(tree.beside(1)),
  k: () => select(tree.beside(-1)),
  ArrowDown: () => select(tree.beside(1)),
  ArrowUp: () => select(tree.beside(-1)),
  Enter: () => selected && tree.toggle(selected),
  ArrowRight: () => selected && tree.toggle(selected, true),
  ArrowLeft: () => {
    if (selected && tree.isOpen(selected) && selected.inner.length > 0) tree.toggle(selected, false);
    else select(selected?.outer);
  },
  "[": () => consoles.beside(-1),
  "]": () => consoles.beside(1),
  "+": () => timeline.zoom(0.5),
  "=": () => timeline.zoom(0.5),
  "-": () => timeline.zoom(2),
  0: () => timeline.all(),
  "<": () => timeline.move(-0.25),
  ">": () => timeline.move(0.25),
  p: () => {
    const entry = selected?.entries.findLast((entry) => entry.picture);
    if (entry) showPicture(entry);
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target === search) {
    if (event.key === "Escape") endSearch();
    else if (event.key === "Enter") nextMatch();
    return;
  }
  // Buttons and scrollable texts handle some keys themselves.
  const isArrow = event.key.startsWith("Arrow");
  const isElsewhere = isArrow && event.target !== document.body && event.target.id !== "tree";
  const isPressed = event.key === "Enter" && event.target.closest("button, a");
  if (isElsewhere || isPressed || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  if (event.key === "Enter" && event.target.id === "lines") consoles.chooseLine();
  else KEYS[event.key]();
});
search.addEventListener("input", runSearch);
document.getElementById("help-button").onclick = KEYS["?"];
document.getElementById("zoom-in").onclick = KEYS["+"];
document.getElementById("zoom-out").onclick = KEYS["-"];
document.getElementById("zoom-all").onclick = KEYS[0];
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", timeline.redraw);

showRun();
showFailure(goTo);
select(run.steps[run.root_cause] ?? run.roots[0], { isMiddle: true });
