/** A small picture of a file, or its extension where there is none. */

import { paths } from "../net/api.js";
import { extensionOf, hasPreview } from "../state/fields.js";

/** Return an element of class `preview` for a record of a session. */
export function preview(id, record) {
  const box = document.createElement("span");
  box.className = "preview";
  box.setAttribute("aria-hidden", "true");
  const showExtension = () => {
    box.replaceChildren();
    box.dataset.extension = extensionOf(record.file) || "·"; // drawn by the style sheet, as it is not a text to read
  };
  if (!hasPreview(record)) showExtension();
  else box.append(picture(paths.preview(id, record.n), showExtension));
  return box;
}

/** Return the image at `source`; `missing()` is called if there is none. */
export function picture(source, missing) {
  const image = document.createElement("img");
  image.alt = "";
  image.loading = "lazy";
  image.decoding = "async";
  image.addEventListener("error", missing);
  image.src = source;
  return image;
}
