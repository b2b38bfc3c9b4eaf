const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as it may stand in HTML, in attributes too. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
}

/** The little Markdown that our own descriptions have: paragraphs, `code` and **strong**; anything else is text. */
export function markdown(text: string, tag: "p" | "span" = "p"): string {
  const blocks = text.split(/\n{2,}/).filter((block) => block !== "");
  return blocks.map((block) => `<${tag}>${inline(block)}</${tag}>`).join("");
}

export function codeBlock(text: string): string {
  return `<pre><code>${escapeHtml(text)}</code></pre>`;
}

function inline(text: string): string {
  return escapeHtml(text)
    .replaceAll(/`([^`]+)`/g, "<code>$1</code>")
    .replaceAll(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>");
}
