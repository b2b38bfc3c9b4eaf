/** The fenced code blocks of a language in a Markdown page, in their order. */
export function codeBlocks(page: string, language: string): readonly string[] {
  return fencedBlocks(page).flatMap((block) => (block.language === language ? [block.text] : []));
}

/** All fenced code blocks of a Markdown page, in their order. */
export function fencedBlocks(page: string): readonly { readonly language: string; readonly text: string }[] {
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));
}
