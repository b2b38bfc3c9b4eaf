/** The look of the page at `/docs`: no fonts and no pictures from elsewhere, light and dark as the reader's system is. */
export const docsStyle = `
:root { color-scheme: light dark; --line: light-dark(#d9dee5, #30363d); --soft: light-dark(#f5f7f9, #161b22); --text: light-dark(#1c2128, #e6edf3);
  --quiet: light-dark(#5b6570, #9aa4af); --page: light-dark(#ffffff, #0d1117); --link: light-dark(#0b57d0, #79b8ff); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 19rem minmax(0, 1fr); background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, sans-serif; }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1rem; border-right: 1px solid var(--line); background: var(--soft); }
nav h2 { font-size: .75rem; text-transform: uppercase; letter-spacing: .06em; color: var(--quiet); margin: 1.2rem 0 .3rem; }
nav a { display: flex; gap: .5rem; padding: .15rem .3rem; border-radius: 4px; color: inherit; text-decoration: none; font-size: .85rem; overflow-wrap: anywhere; }
nav a:hover, nav a:focus-visible { background: var(--line); }
input { width: 100%; padding: .5rem .6rem; border: 1px solid var(--line); border-radius: 6px; background: var(--page); color: inherit; font: inherit; }
main { padding: 2rem clamp(1rem, 4vw, 3.5rem); max-width: 70rem; }
h1 { font-size: 1.8rem; margin: 0 0 .5rem; } h2 { margin-top: 3rem; } h3 { margin: 0; font-size: 1.1rem; } h4 { margin: 1.2rem 0 .3rem; font-size: .85rem; color: var(--quiet); }
a { color: var(--link); } code, pre { font: .82rem/1.5 ui-monospace, monospace; } pre { background: var(--soft); border: 1px solid var(--line);
  border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; }
section.operation { border-top: 1px solid var(--line); padding: 1.6rem 0; } section.operation:target { border-top-color: var(--link); }
.address { display: block; margin: .4rem 0; overflow-wrap: anywhere; }
.method { font: 600 .7rem/1.6 ui-monospace, monospace; padding: 0 .35rem; border-radius: 4px; color: #fff; background: #57606a; align-self: start; }
.get { background: #1a7f37; } .post { background: #0b57d0; } .put { background: #9a6700; } .patch { background: #8250df; } .delete { background: #cf222e; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; } td, th { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 500; } .quiet { color: var(--quiet); } details { margin: .6rem 0; } summary { cursor: pointer; }
[hidden] { display: none !important; }
@media (max-width: 52rem) { body { display: block; } nav { position: static; height: auto; border-right: 0; } }
`;

/** Filters the operations by what is typed; without it the page is the same, unfiltered. */
export const docsScript = `
const box = document.querySelector("input");
const items = [...document.querySelectorAll("[data-words]")];
const filter = () => {
  const words = box.value.toLowerCase().split(/\\s+/);
  for (const item of items) item.hidden = !words.every((word) => item.dataset.words.includes(word));
  for (const group of document.querySelectorAll("[data-group]")) group.hidden = !group.querySelector("[data-words]:not([hidden])");
};
box.addEventListener("input", filter);
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); }
});
filter();
`;
