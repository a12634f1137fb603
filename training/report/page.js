// People that are chosen go into the command below them; without this script the command makes all of them.
for (const copy of document.querySelectorAll(".meet .command button")) {
  const meet = copy.closest(".meet"), command = meet.querySelector(".command code"), all = command.textContent;
  meet.addEventListener("click", ({target}) => {
    const person = target.closest(".wall button");
    if (!person) return;
    person.ariaPressed = person.ariaPressed !== "true";
    const seeds = [...meet.querySelectorAll(".wall [aria-pressed=true]")].map(one => one.value);
    command.textContent = seeds.length ? all.replace(/--seeds \S+/, `--seeds ${seeds}`) : all;
  });
  copy.hidden = !navigator.clipboard;
  copy.onclick = async () => {
    await navigator.clipboard.writeText(command.textContent);
    copy.textContent = "copied";
    setTimeout(() => (copy.textContent = "copy"), 1500);
  };
}
// The grids over training become one picture and a slider; without this script they stand below each other.
for (const scrubber of document.querySelectorAll(".scrubber")) {
  const frames = [...scrubber.querySelectorAll("figure")], range = scrubber.querySelector("input");
  const show = () => frames.forEach((frame, index) => (frame.hidden = index !== +range.value));
  range.hidden = false;
  range.oninput = show;
  show();
}
