// Screenshots.

/** A small picture. A click enlarges it. */
function thumbnail(entry) {
  const src = run.pictures[entry.picture.picture];
  if (!src) return element("p", { className: "soft" }, "This picture was dropped: there were too many.");
  const image = element("img", { src, alt: entry.picture.text || "the screen", loading: "lazy" });
  return element(
    "button",
    { type: "button", className: "shot", title: "Enlarge", onclick: () => showPicture(entry) },
    image,
  );
}

/** Shows a picture enlarged, with boxes around the recognized words. */
function showPicture(entry) {
  const { picture, text, path } = entry.picture;
  const dialog = document.getElementById("picture");
  const image = element("img", { src: run.pictures[picture], alt: text || "the screen" });
  const frame = dialog.querySelector(".frame");
  const recognized = JSON.parse(entry.picture.words || "[]");
  frame.replaceChildren(image);
  image.onload = () => {
    const percent = (part, whole) => `${(100 * part) / whole}%`;
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    frame.style.maxWidth = `${Math.max(width, 720)}px`;
    frame.append(
      ...recognized.map(([word, x, y, w, h, sure]) => {
        const title = `${word} (${Math.round(sure)} % sure)`;
        const box = element("i", { title, className: sure < 60 ? "unsure" : "" });
        box.style.left = percent(x, width);
        box.style.top = percent(y, height);
        box.style.width = percent(w, width);
        box.style.height = percent(h, height);
        return box;
      }),
    );
  };
  const facts = [`at ${time(entry.at)}`, path, recognized.length > 0 ? count(recognized.length, "word") : ""];
  dialog.querySelector(".caption").textContent = facts.filter(Boolean).join(" · ");
  const choice = dialog.querySelector(".words");
  choice.hidden = recognized.length === 0;
  choice.firstElementChild.onchange = ({ target }) => frame.classList.toggle("plain", !target.checked);
  const pre = dialog.querySelector(".text");
  pre.textContent = text ?? "";
  pre.hidden = !text;
  dialog.showModal();
}
