// What the browser does without the server: sort, search and save tables, copy the link, show the shortcuts.
if (!window.buyerviewPage) {
  window.buyerviewPage = true;

  const dataOf = table => JSON.parse(table.dataset.table);
  const rowsOf = table => {
    const rows = [...table.querySelectorAll("tbody tr")];
    if (rows.some(row => row.buyerviewAt === undefined)) rows.forEach((row, at) => { row.buyerviewAt = at; });
    return rows;
  };
  const isNumber = text => text !== "" && isFinite(text);

  const sort = button => {
    const table = button.closest(".bv-data"), head = button.closest("th"), data = dataOf(table);
    const column = [...head.parentNode.children].indexOf(head), rows = rowsOf(table);
    const down = head.getAttribute("aria-sort") === "ascending";
    head.parentNode.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => String(data.rows[row.buyerviewAt][column]);
    const compare = (one, other) => {
      if (one.matches(".bv-total") !== other.matches(".bv-total")) return one.matches(".bv-total") ? 1 : -1;
      const a = value(one), b = value(other);
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1; // an unknown value is last, whatever the order
      if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
      const order = isNumber(a) && isNumber(b) ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return down ? -order : order;
    };
    table.querySelector("tbody").append(...rows.sort(compare));
  };

  const find = field => {
    const table = field.closest(".bv-data"), asked = field.value.trim().toLowerCase(), rows = rowsOf(table);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.matches(".bv-total") && !row.textContent.toLowerCase().includes(asked);
      shown += !row.hidden && !row.matches(".bv-total");
    }
    table.querySelector("[role=status]").textContent = asked ? `${shown} found` : "";
  };

  const cell = text => (/[",\r\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text);
  const slug = text => text.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
  const save = button => {
    const table = button.closest(".bv-data"), data = dataOf(table);
    const text = [data.columns, ...data.rows].map(row => row.map(cell).join(",")).join("\r\n") + "\r\n";
    const version = document.querySelector("[data-generation]")?.dataset.generation;
    const name = [slug(location.pathname) || "scorecard", slug(table.querySelector("table").ariaLabel)];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `buyerview_${name.join("_")}${version ? `_v${version}` : ""}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const copy = async button => {
    const link = button.dataset.link, label = button.querySelector("[aria-live]");
    try {
      await navigator.clipboard.writeText(link);
      label.textContent = "Link copied";
    } catch { // without https the browser offers no clipboard
      window.prompt("Copy this link:", link);
    }
    setTimeout(() => { label.textContent = "Copy link"; }, 3000);
  };

  const KEYS = [
    ["/", "Search order, customer or product"], ["Enter", "Open the first match of the search"],
    ["Esc", "Leave the search"], ["p", "Previous order"], ["n", "Next order"], ["?", "Show these shortcuts"],
  ];
  const make = (tag, ...parts) => { // no markup: Streamlit removes a script whose text contains tags
    const made = document.createElement(tag);
    made.append(...parts);
    return made;
  };
  const shortcuts = () => {
    document.querySelector(".bv-shortcuts")?.remove();
    const dialog = document.createElement("dialog");
    dialog.className = "bv-shortcuts";
    dialog.setAttribute("aria-label", "Keyboard shortcuts");
    const list = make("dl", ...KEYS.flatMap(([key, what]) => [make("dt", make("kbd", key)), make("dd", what)]));
    const close = make("button", "Close");
    close.className = "bv-button";
    close.addEventListener("click", () => dialog.close());
    dialog.append(make("h2", "Keyboard shortcuts"), list, close);
    document.body.append(dialog);
    dialog.showModal();
  };
  const press = name => [...document.querySelectorAll("button:not(:disabled)")]
    .find(button => button.textContent.trim().endsWith(name))?.click();

  document.addEventListener("keydown", event => {
    const at = event.target, isTyping = at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "?") { event.preventDefault(); shortcuts(); }
    else if (event.key === "p") press("Previous order");
    else if (event.key === "n") press("Next order");
  });

  const ACTIONS = { "bv-sort": sort, "bv-csv": save, "bv-copy": copy, "bv-keys": shortcuts };
  document.addEventListener("click", event => {
    const button = event.target.closest?.("button[class*=bv-]");
    for (const name in ACTIONS) if (button?.classList.contains(name)) ACTIONS[name](button);
  });
  document.addEventListener("input", event => { if (event.target.matches?.(".bv-find")) find(event.target); });
}
