// Looks a page over as an accessibility checker does, and returns what is wrong, in words.
({ keys, foreign }) => {
  const problems = [];
  const wrong = (what, element) => problems.push(`${what}: ${element ? element.outerHTML.slice(0, 120) : ""}`);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.type !== "hidden";
  const text = (element) => (element?.textContent || "").trim();

  // The page as a whole
  if (!document.title.trim()) wrong("no title");
  if (!["sv", "en"].includes(document.documentElement.lang)) wrong("no language");
  if (all("main").length !== 1) wrong("not one main landmark");
  if (document.documentElement.scrollWidth > window.innerWidth) {
    wrong(`wider than the window, by ${document.documentElement.scrollWidth - window.innerWidth} px`);
  }
  const ids = all("[id]").map((element) => element.id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => wrong(`id ${id} twice`));

  // Headings
  const levels = all("h1, h2, h3, h4, h5, h6").filter(shown).map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) wrong("not one main heading");
  levels.forEach((level, place) => {
    if (level > (levels[place - 1] || 0) + 1) wrong(`heading ${level} after ${levels[place - 1] || "nothing"}`);
  });

  // Names
  const named = (element) => {
    const by = element.getAttribute("aria-labelledby");
    return [
      element.getAttribute("aria-label"),
      by && by.split(" ").map((id) => text(document.getElementById(id))).join(" "),
      ...[...(element.labels || [])].map(text),
      ["A", "BUTTON", "SUMMARY"].includes(element.tagName) && text(element),
    ].some(Boolean);
  };
  all("a[href], button, summary, input, select, textarea").filter(shown).forEach((element) => {
    if (!named(element)) wrong("no name", element);
    const box = element.getBoundingClientRect();
    const isInline = element.tagName === "A" && getComputedStyle(element).display === "inline";
    if (!isInline && element.type !== "radio" && box.height < 24) wrong(`only ${box.height} px high`, element);
  });
  all("img:not([alt])").forEach((image) => wrong("no alt", image));
  all("table").forEach((table) => {
    if (table.querySelector("th:not([scope])")) wrong("th without scope", table);
  });
  all("section").forEach((section) => {
    if (!named(section)) wrong("a section without a name", section);
  });
  for (const attribute of ["aria-labelledby", "aria-describedby", "for"]) {
    all(`[${attribute}]`).forEach((element) =>
      element.getAttribute(attribute).split(" ").forEach((id) => {
        if (!document.getElementById(id)) wrong(`${attribute} names ${id}, which is not there`, element);
      }),
    );
  }

  // Texts: inside landmarks, readable, translated
  const colour = (written) => {
    const [red, green, blue, alpha = 1] = written.match(/[\d.]+/g).map(Number);
    return { red, green, blue, alpha };
  };
  const light = ({ red, green, blue }) => {
    const [r, g, b] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const ground = colour(getComputedStyle(each).backgroundColor);
      if (ground.alpha === 1) return ground;
      if (ground.alpha > 0) wrong("a background seen through", each);
    }
    return { red: 255, green: 255, blue: 255 };
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const words = walker.currentNode.data.trim();
    if (!words || !shown(element) || ["SCRIPT", "NOSCRIPT"].includes(element.tagName)) continue;
    if (!element.closest("main, header, footer, nav, .skip")) wrong("outside every landmark", element);
    if (!element.closest("[lang]:not(html)")) {
      keys.filter((key) => words.split(/[\s:]+/).includes(key)).forEach((key) => wrong(`the key ${key}`, element));
      foreign.filter((other) => words.includes(other)).forEach((other) => wrong(`"${other}" in the other language`, element));
    }
    if (seen.has(element)) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const [one, two] = [light(colour(style.color)), light(behind(element))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) wrong(`contrast ${ratio.toFixed(2)}`, element);
  }
  return problems;
}
