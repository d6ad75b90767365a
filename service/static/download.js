/** The results as files to keep: JSON as the service gave it, CSV with one row for each face. */

const FRAME = ["x", "y", "w", "h"];
const FACE = ["face_confidence", "dominant_emotion", "confidence"];

/** What the service said about each photo, or the code of what went wrong. */
export function json(photos) {
  const entries = photos.map(({ name, prediction, code }) => ({
    file: name,
    ...(prediction ?? { problem: code }),
  }));
  return JSON.stringify(entries, null, 2) + "\n";
}

/** RFC 4180. A photo without a face has one row too, so that none is missing. */
export function csv(photos) {
  const labels = Object.keys(photos.find(hasFace)?.prediction.faces[0].emotion ?? {});
  const rows = photos.flatMap((photo) => {
    if (!hasFace(photo)) return [[photo.name, "", ...blanks(labels), photo.code ?? ""]];
    return photo.prediction.faces.map((face, index) => [
      photo.name,
      index + 1,
      ...FRAME.map((key) => face.box[key]),
      ...FACE.map((key) => face[key]),
      Boolean(face.uncertain),
      ...labels.map((label) => face.emotion[label]),
      "",
    ]);
  });
  const head = ["file", "face", ...FRAME, ...FACE, "uncertain", ...labels, "problem"];
  return [head, ...rows].map((row) => row.map(field).join(",") + "\r\n").join("");
}

/** Hands a text to the browser's downloads. */
export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

function hasFace({ prediction }) {
  return Boolean(prediction?.faces.length);
}

function blanks(labels) {
  return [...FRAME, ...FACE, "uncertain", ...labels].map(() => "");
}

function field(value) {
  let text = String(value ?? "");
  // A spreadsheet would take a file name that begins like this for a formula.
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
