// What the theme and docutils leave out for those who use a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("pre, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
  for (const heading of document.querySelectorAll('[role="heading"]:not([aria-level])')) {
    heading.setAttribute("aria-level", "2");
  }
  for (const each of document.querySelectorAll(".citation-list[role], .citation[role]")) {
    each.removeAttribute("role"); // of DPUB-ARIA 1.0, no longer allowed
  }
});
