/** The page: what each button, key and picture sets going. */

import { Unreachable, use } from "./api.js";
import { Camera, NoCamera } from "./camera.js";
import { csv, json, save } from "./download.js";
import { Gallery } from "./gallery.js";
import { Heat } from "./heat.js";
import { Key } from "./key.js";
import { Live } from "./live.js";
import { verdict } from "./results.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { explanation, fill, texts } from "./texts.js";

const find = (id) => document.getElementById(id);

fill(document);
const stage = new Stage(document);
const gallery = new Gallery(find("gallery"), find("thumb"));
const camera = new Camera(find("video"));
const status = new Status(find("status"), find("spoken"));
const key = new Key(find("key"));
const heat = new Heat(find("explain"), showHeat);
const live = new Live(camera, stage, status, pausing);
use(key);

// Views: the start, the photos, the camera.

function view(name) {
  find("start").hidden = name !== "start";
  find("work").hidden = name === "start";
  for (const part of document.querySelectorAll("[data-for]"))
    part.hidden = part.dataset.for !== name;
}

function pausing(error, seconds) {
  const { waits } = texts;
  const sentence = {
    429: waits.limited,
    503: error.code === "overloaded" ? waits.overloaded : waits.unavailable,
    504: waits.slow,
  }[error.status];
  if (error instanceof Unreachable || error.status === 502)
    status.show("wait", waits.unreachable(seconds));
  else status.show("wait", sentence ? sentence(seconds) : explanation(error));
}

// Photos.

function addPhotos(files) {
  if (!files.length) return;
  stopCamera();
  status.clear();
  key.reconsider();
  view("photos");
  gallery.add(files);
  find("view").focus({ preventScroll: true });
}

async function showPhoto() {
  const photo = gallery.selected;
  if (!photo) return;
  await stage.photo(photo);
  await showHeat();
}

async function showHeat() {
  const photo = gallery.selected;
  const possible = await heat.offer(photo);
  const label = heat.wanted;
  const current = () => photo === gallery.selected && label === heat.wanted && !live.running;
  if (!current()) return;
  if (!possible || label === null) {
    stage.heat(null);
    return;
  }
  try {
    const url = await gallery.heat(photo, label);
    status.clear("wait");
    if (current()) stage.heat(url);
  } catch (error) {
    if (error.name !== "AbortError") status.show("problem", explanation(error));
  }
}

function sayAnswer({ name, state, prediction, problem }) {
  if (state === "done")
    status.say(texts.spoken.answer(name, texts.spoken.faces(prediction.faces.map(sentence))));
  else status.say(texts.spoken.answer(name, problem));
}

function sentence(face) {
  const { title, share, hint } = verdict(face);
  return `${title} ${hint || share}`;
}

// Camera.

function askForCamera() {
  const notice = find("notice");
  notice.returnValue = "";
  notice.showModal();
}

async function startCamera() {
  status.show("wait", texts.waits.camera);
  key.reconsider();
  try {
    await live.start(() => {
      leaveCamera();
      status.show("problem", texts.problems.camera_lost);
    });
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof NoCamera)) throw error;
    status.show("problem", explanation(error));
    return;
  }
  status.clear("wait");
  view("camera");
  document.querySelector("[data-action=stop]").focus();
}

function stopCamera() {
  live.stop();
  status.clear("wait");
}

function leaveCamera() {
  stopCamera();
  view(gallery.photos.length ? "photos" : "start");
  showPhoto();
  document.querySelector("main > :not([hidden]) [data-action=camera]").focus();
}

async function keepFrame() {
  const frame = await camera.frame();
  const name = `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
  addPhotos([new File([frame], name, { type: frame.type })]);
}

// What people do.

const actions = {
  choose: () => find("files").click(),
  camera: askForCamera,
  stop: leaveCamera,
  keep: keepFrame,
  clear: () => {
    gallery.clear();
    status.clear();
    view("start");
    document.querySelector("#start [data-action=choose]").focus();
  },
  json: () => save("mien.json", "application/json", json(gallery.photos)),
  csv: () => save("mien.csv", "text/csv", csv(gallery.photos)),
  example: async () => {
    const bytes = await (await fetch("static/example.jpg", { cache: "force-cache" })).blob();
    addPhotos([new File([bytes], texts.start.exampleName, { type: bytes.type })]);
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) actions[button.dataset.action]();
});

find("files").addEventListener("change", ({ target }) => {
  addPhotos([...target.files]);
  target.value = ""; // the same file may be chosen again
});

document.addEventListener("paste", ({ target, clipboardData }) => {
  if (target.closest("dialog")) return; // a key, into its field
  if (clipboardData.files.length) addPhotos([...clipboardData.files]);
  else status.show("problem", texts.problems.nothing_pasted);
});

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  find("drop").classList.add("open");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("drop").classList.remove("open");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").classList.remove("open");
  addPhotos([...event.dataTransfer.files]);
});

find("notice").addEventListener("close", ({ target }) => {
  if (target.returnValue === "start") startCamera();
});

gallery.addEventListener("select", showPhoto);
gallery.addEventListener("pause", ({ detail: { error, seconds } }) => pausing(error, seconds));
gallery.addEventListener("change", ({ detail: photo }) => {
  if (photo.state === "done" || photo.state === "failed") {
    status.clear("wait");
    sayAnswer(photo);
  }
  if (photo === gallery.selected && !live.running) showPhoto();
});
