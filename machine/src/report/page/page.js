// The page: what is selected, what is searched, keys.

const search = document.getElementById("search");
let selected;

const tree = makeTree((step) => select(step));
const timeline = makeTimeline((step) => select(step));
const consoles = makeConsole((machine, at) => {
  const step = stepAt(machine, at);
  if (step) select(step, { keepsConsole: true, isMiddle: true });
});

/** Shows a step everywhere. */
function select(step, { keepsConsole = false, isMiddle = false } = {}) {
  if (!step) return;
  selected = step;
  tree.choose(step, isMiddle);
  timeline.choose(step);
  showDetails(step, wanted());
  consoles.choose(step, keepsConsole);
}

/** Shows a step everywhere, and has the steps in sight. */
function goTo(step) {
  if (!step) return;
  endSearch();
  select(step, { isMiddle: true });
  document.querySelector(".panes").scrollIntoView({ block: "end" });
  document.getElementById("tree").focus({ preventScroll: true });
}

function wanted() {
  return search.value.trim().toLowerCase();
}

function find() {
  const [steps, lines] = [tree.search(wanted()), consoles.search(wanted())];
  const text = wanted() ? `${count(steps, "step")}, ${count(lines, "line")}` : "";
  document.getElementById("found").textContent = text;
  if (selected) showDetails(selected, wanted());
}

/** Goes to the next find: of the steps, then of the consoles, then from the first again. */
function nextFind() {
  const next = consoles.isAtFind() ? undefined : tree.nextFind();
  if (!next && consoles.nextFind()) return;
  const step = next ?? tree.firstFind();
  if (step) select(step, { isMiddle: true });
  else consoles.nextFind();
}

function endSearch() {
  if (search.value) {
    search.value = "";
    find();
  }
  search.blur();
}

/** Shows what is about the whole run. */
function showRun() {
  const badge = document.getElementById("outcome");
  badge.textContent = OUTCOMES[run.outcome];
  badge.classList.add(run.outcome);
  const done = run.steps.filter((step) => step.outcome).length;
  const facts = [
    duration(run.took),
    count(run.machines.length, "machine"),
    count(done, "step"),
    new Date(run.date).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
    run.left_out > 0 ? `${count(run.left_out, "step or line")} more than there is place for` : "",
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
    else if (event.key === "Enter") nextFind();
    return;
  }
  // Buttons, and texts that scroll, have keys of their own.
  const isArrow = event.key.startsWith("Arrow");
  const isElsewhere = isArrow && event.target !== document.body && event.target.id !== "tree";
  const isPressed = event.key === "Enter" && event.target.closest("button, a");
  if (isElsewhere || isPressed || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  if (event.key === "Enter" && event.target.id === "lines") consoles.chooseLine();
  else KEYS[event.key]();
});
search.addEventListener("input", find);
document.getElementById("help-button").onclick = KEYS["?"];
document.getElementById("zoom-in").onclick = KEYS["+"];
document.getElementById("zoom-out").onclick = KEYS["-"];
document.getElementById("zoom-all").onclick = KEYS[0];
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", timeline.redraw);

showRun();
showFailure(goTo);
select(run.steps[run.root_cause] ?? run.roots[0], { isMiddle: true });
