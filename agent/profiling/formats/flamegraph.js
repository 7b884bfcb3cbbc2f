
(function () {
  "use strict";
  var SVG = "http://www.w3.org/2000/svg", CHARACTER = 6.7, NARROWEST_TEXT = 24;
  var svg = document.documentElement, group = document.getElementById("frames");
  var margin = Number(group.dataset.margin), drawn = Number(group.dataset.width) - 2 * margin;
  var detail = document.getElementById("detail"), search = document.getElementById("search");
  var matched = document.getElementById("matched"), controls = document.getElementById("controls");
  var view = { start: 0, width: 1, row: -1 };
  var frames = Array.prototype.map.call(group.querySelectorAll("g.f"), function (node) {
    var rect = node.querySelector("rect"), title = node.querySelector("title").textContent;
    return {
      node: node, rect: rect, text: node.querySelector("text"), title: title, name: title.split("\n", 1)[0],
      start: (Number(rect.getAttribute("x")) - margin) / drawn, width: Number(rect.getAttribute("width")) / drawn,
      y: Number(rect.getAttribute("y"))
    };
  });

  function label(frame, left, width) {
    if (width < NARROWEST_TEXT) {
      if (frame.text) { frame.text.style.display = "none"; }
      return;
    }
    if (!frame.text) {
      frame.text = frame.node.appendChild(document.createElementNS(SVG, "text"));
      frame.text.setAttribute("y", frame.y + 12);
    }
    var characters = Math.floor((width - 6) / CHARACTER), all = Array.from(frame.name);
    frame.text.style.display = "";
    frame.text.setAttribute("x", left + 3);
    frame.text.textContent = all.length <= characters ? frame.name : all.slice(0, Math.max(0, characters - 1)).join("") + "…";
  }

  function place() {
    var total = Math.max(400, window.innerWidth || drawn + 2 * margin), inner = total - 2 * margin, slack = 0.02 / drawn;
    svg.setAttribute("width", total);
    controls.setAttribute("x", total - margin - 440);
    frames.forEach(function (frame) {
      var end = frame.start + frame.width, last = view.start + view.width;
      var above = frame.y < view.row && frame.start <= view.start + slack && end >= last - slack;
      var inside = frame.y >= view.row && frame.start >= view.start - slack && end <= last + slack;
      frame.node.style.display = above || inside ? "" : "none";
      if (!above && !inside) { return; }
      frame.node.classList.toggle("above", above);
      var left = above ? margin : margin + (frame.start - view.start) / view.width * inner;
      var width = above ? inner : frame.width / view.width * inner;
      frame.rect.setAttribute("x", left);
      frame.rect.setAttribute("width", Math.max(0, width));
      label(frame, left, width);
    });
  }

  function find(wanted) {
    var low = wanted.trim().toLowerCase(), spans = [], end = 0, share = 0;
    frames.forEach(function (frame) {
      var hit = low !== "" && frame.name.toLowerCase().indexOf(low) >= 0;
      frame.node.classList.toggle("hit", hit);
      if (hit) { spans.push([frame.start, frame.start + frame.width]); }
    });
    spans.sort(function (a, b) { return a[0] - b[0]; });
    spans.forEach(function (span) {
      share += Math.max(0, span[1] - Math.max(span[0], end));
      end = Math.max(end, span[1]);
    });
    matched.textContent = low === "" ? "" : "matched " + (100 * share).toFixed(1) + " %";
  }

  function reset() {
    view = { start: 0, width: 1, row: -1 };
    search.value = "";
    find("");
    place();
  }

  frames.forEach(function (frame) {
    frame.node.addEventListener("click", function () {
      view = { start: frame.start, width: Math.max(frame.width, 1e-6), row: frame.y };
      place();
    });
    frame.node.addEventListener("mouseenter", function () {
      detail.textContent = frame.title.split("\n").join("   ");
    });
    frame.node.addEventListener("mouseleave", function () { detail.textContent = " "; });
  });
  search.addEventListener("input", function () { find(search.value); });
  document.getElementById("reset").addEventListener("click", reset);
  window.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { reset(); }
    if (event.key === "/" && event.target !== search) { event.preventDefault(); search.focus(); }
  });
  window.addEventListener("resize", place);
  controls.removeAttribute("display");
  place();
})();
