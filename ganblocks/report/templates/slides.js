"use strict";
document.querySelectorAll(".slides").forEach((root) => {
  const slides = JSON.parse(root.querySelector("script").textContent);
  const image = root.querySelector("img"), slider = root.querySelector("input"), text = root.querySelector("output");
  const show = () => {
    const slide = slides[Number(slider.value)], words = `${slide.images.toLocaleString("en")} images`;
    image.src = slide.data;
    image.alt = `Sample grid after ${words}`;
    text.textContent = words;
    slider.setAttribute("aria-valuetext", words);
  };
  slider.addEventListener("input", show);
  show();
  root.dataset.ready = "true";
});
