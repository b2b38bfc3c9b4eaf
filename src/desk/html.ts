import { convert } from "html-to-text";
import sanitize from "sanitize-html";

const blocks = "p br div blockquote pre hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd".split(" ");
const inline = "span b strong i em u s del ins sub sup small mark code kbd a img".split(" ");
const tables = "table caption thead tbody tfoot tr th td".split(" ");

/** What goes with all that is in it. */
const dropped =
  "script style textarea option select noscript template title svg math iframe object embed applet xmp noembed noframes plaintext frameset head".split(
    " ",
  );

const ownImage = /^cid:att_[1-9]\d{0,14}$/;
const outside = /^(https?:\/\/|mailto:)/i;

const rules: sanitize.IOptions = {
  allowedTags: [...blocks, ...inline, ...tables],
  allowedAttributes: {
    a: ["href", "title", "rel", "target"],
    img: ["src", "alt", "title", "width", "height"],
    th: ["colspan", "rowspan"],
    td: ["colspan", "rowspan"],
    ol: ["start"],
    "*": ["dir"],
  },
  allowedSchemes: ["http", "https", "mailto"],
  allowedSchemesByTag: { img: ["cid"] },
  allowProtocolRelative: false,
  nonTextTags: dropped,
  nestingLimit: 100,
  transformTags: {
    a: (tagName, { href = "", title }) => ({
      tagName,
      attribs: {
        ...(outside.test(href.trim())
          ? { href: href.trim(), rel: "noopener noreferrer nofollow", target: "_blank" }
          : {}),
        ...(title === undefined ? {} : { title }),
      },
    }),
  },
  exclusiveFilter: ({ tag, attribs }) => tag === "img" && !ownImage.test(attribs.src ?? ""),
};

/**
 * HTML of which only what shows text is left: no scripts, styles, forms or handlers, links to the outside by http, https and mailto alone, and images
 * of attachments alone, by `cid:att_7`. The same again for what it returned.
 */
export function sanitizeMessageHtml(html: string): string {
  return sanitize(html, rules);
}

/** What HTML says, as plain text. */
export function textOfHtml(html: string): string {
  return convert(html, {
    wordwrap: false,
    selectors: [
      { selector: "a", options: { hideLinkHrefIfSameAsText: true, linkBrackets: ["(", ")"] } },
      { selector: "img", format: "skip" },
      ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({
        selector,
        options: { uppercase: false },
      })),
    ],
  }).trim();
}

/** Ids of the attachments that sanitised HTML shows. */
export function imagesOf(html: string): readonly string[] {
  return [...html.matchAll(/\bsrc="cid:(att_\d+)"/g)].map(([, id]) => id ?? "");
}
