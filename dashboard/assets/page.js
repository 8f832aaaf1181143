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

  document.addEventListener("click", event => {
    const button = event.target.closest?.(".bv-sort, .bv-csv");
    if (button) (button.matches(".bv-sort") ? sort : save)(button);
  });
  document.addEventListener("input", event => { if (event.target.matches?.(".bv-find")) find(event.target); });
}
