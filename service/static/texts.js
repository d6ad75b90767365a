/** Every English word of the page: what stands in the document, and what the program says. */

export const texts = {
  skip: "Skip to the content",
  nav: "Pages",
  api: "API",
  model: "Model",

  start: {
    title: "What a face shows",
    lead:
      "mien finds the faces in a photo and tells which of seven expressions each one shows. " +
      "Try it with a picture of your own.",
    hint: "You can also drop pictures anywhere on this page, or paste one.",
    example: "Try this photo",
    exampleAlt:
      "A smiling astronaut in an orange space suit, in front of a flag and a model of the Space Shuttle.",
    exampleCredit: "Eileen Collins, astronaut. Photo: NASA, public domain.",
    exampleName: "example.jpg",
  },

  actions: {
    choose: "Choose photos",
    camera: "Use the camera",
    startCamera: "Start the camera",
    stopCamera: "Stop the camera",
    keepFrame: "Keep this frame",
    notNow: "Not now",
    clear: "Clear all",
    json: "Download JSON",
    csv: "Download CSV",
    dismiss: "Dismiss",
    tools: "Tools",
  },

  notes: {
    title: "Before you read anything into it",
    readTitle: "What it tells",
    read:
      "The expression on a face, as other people would name it. Not the feeling behind it: people smile " +
      "when they are sad, and frown when they think. Every answer is an estimate and can be wrong.",
    limitTitle: "What it is not for",
    limit:
      "Nothing that decides about a person: not for hiring, school, work, policing, health or lie detection. " +
      "Ask people before you analyse their faces.",
    privacyTitle: "Where your pictures go",
    privacy:
      "To the service that gave you this page, and nowhere else. It analyses them in memory and stores nothing: " +
      "no picture, no face, no result. What you see here is gone when you close the page.",
  },

  notice: {
    title: "Before the camera starts",
    lead: "Please read this first.",
    inferred:
      "From each frame the service infers where faces are, and which of seven expressions each one shows, as other " +
      "people would name it. It does not know who anybody is, or what anybody feels.",
    stored:
      "Frames go to the service that gave you this page, one at a time. They are analysed in memory and not stored, " +
      "neither there nor here.",
    misuse:
      "Do not use it to judge people: not for hiring, school, work, policing, health or lie detection. " +
      "Everybody in view should know and agree.",
  },

  key: {
    title: "This service wants a key",
    lead:
      "Whoever runs it gives keys to those who may use it. Yours goes to this service only, and is forgotten when " +
      "you close the page.",
    label: "Key",
    wrong: "The service does not know this key.",
    send: "Go on",
  },

  stage: {
    label: "Picture",
    photoAlt: (name) => `The photo ${name}`,
    videoLabel: "Picture of your camera",
    heatAlt: "Heat map: the parts of each face that spoke most for the expression.",
    gallery: "Your photos",
    unreadable: "No preview",
  },

  heat: {
    label: "Heat map",
    which: "for",
    whichLabel: "Heat map for",
    strongest: "the strongest",
  },

  results: {
    title: "Expressions",
    waiting: "Looking at the photo …",
    cameraWaiting: "Waiting for the first frame …",
    none: "No face found",
    noneHint: "Faces should look roughly towards the camera and be at least 20 pixels wide.",
    failed: "No result",
    face: (number) => `Face ${number}`,
    unsure: "Not sure",
    closest: (word, share) => `closest: ${word}, ${share}`,
    share: (value) => `${Math.round(100 * value)}%`,
  },

  expressions: {
    angry: "Angry",
    disgust: "Disgusted",
    fear: "Afraid",
    happy: "Happy",
    sad: "Sad",
    surprise: "Surprised",
    neutral: "Neutral",
  },

  timing: {
    photo: (faces, size) =>
      `${faces ? `${count(faces, "face", "faces")} · ` : ""}${size.width} × ${size.height} pixels`,
    camera: (perSecond) => `${perSecond.toFixed(0)} frames a second`,
    roundTrip: (ms) => `${milliseconds(ms)} there and back`,
    service: ({ total, decode, detect, queue, inference }) =>
      `${milliseconds(total)} in the service: decode ${short(decode)}, detect ${short(detect)}, ` +
      `queue ${short(queue)}, inference ${short(inference)}`,
    model: ({ name, version }) => `Model ${name} ${version}`,
  },

  uploads: {
    converted: "The picture was turned into a JPEG before it was sent.",
    shrunk: (width, height) =>
      `The photo was above the service's limit and was sent at ${width} × ${height} pixels.`,
  },

  states: { waiting: "waiting", working: "being analysed", done: "done", failed: "no result" },

  spoken: {
    thumb: (name, state) => `${name}, ${state}`,
    answer: (name, faces) => `${name}: ${faces}`,
    live: (faces) => `In view: ${faces}`,
    faces: (verdicts) =>
      verdicts.length
        ? `${count(verdicts.length, "face", "faces")}. ${verdicts.join(". ")}.`
        : "No face found.",
    cameraOn: "The camera is on.",
    cameraOff: "The camera is off.",
    drop: "Drop the pictures to analyse them",
  },

  waits: {
    camera: "Waiting for the camera …",
    overloaded: (seconds) =>
      `The service is busy. Trying again in ${count(seconds, "second", "seconds")}.`,
    unavailable: (seconds) =>
      `The service is starting or stopping. Trying again in ${count(seconds, "second", "seconds")}.`,
    limited: (seconds) =>
      `Too many requests from here. Going on in ${count(seconds, "second", "seconds")}.`,
    slow: (seconds) =>
      `The service took too long. Trying again in ${count(seconds, "second", "seconds")}.`,
    unreachable: (seconds) =>
      `The service cannot be reached. Trying again in ${count(seconds, "second", "seconds")}.`,
  },

  problems: {
    not_an_image: "This file is not a picture that can be read.",
    unauthorized: "This service wants a key.",
    undecodable_image: "This picture is damaged, or not a picture at all.",
    bad_request: "This file is empty, or could not be sent.",
    body_timeout: "Sending the photo took too long. Is the connection slow?",
    payload_too_large: "This photo is too large, even when made smaller.",
    image_too_large: "This photo has too many pixels, even when made smaller.",
    unsupported_media_type: "This kind of file is not supported. JPEG, PNG and WebP are.",
    deadline_exceeded: "The service took too long with this photo.",
    inference_failed: "The service failed on this photo. That is its fault, not yours.",
    other: (detail) => `The service refused: ${detail}`,

    nothing_pasted: "There is no picture on the clipboard.",

    camera_insecure: "The camera needs a secure page: open this one over https, or on localhost.",
    camera_missing: "No camera was found on this device.",
    camera_denied:
      "The camera was not allowed. You can change that in the browser, beside the address of this page.",
    camera_busy: "The camera could not be started. Perhaps another program is using it.",
    camera_lost: "The camera has stopped.",
  },
};

/** Puts the texts into a document or a template: what `data-text`, `data-label` and `data-alt` name. */
export function fill(root) {
  for (const element of root.querySelectorAll("[data-text]"))
    element.textContent = lookUp(element.dataset.text);
  for (const element of root.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", lookUp(element.dataset.label));
  for (const element of root.querySelectorAll("[data-alt]"))
    element.setAttribute("alt", lookUp(element.dataset.alt));
}

/** A label of the model as a word; one that is not known here stays as it is. */
export function word(label) {
  return texts.expressions[label] ?? label;
}

/** What to tell people about an error that has a code. */
export function explanation(error) {
  return texts.problems[error.code] ?? texts.problems.other(error.message);
}

function lookUp(path) {
  return path.split(".").reduce((branch, key) => branch[key], texts);
}

function count(number, one, many) {
  return `${number} ${number === 1 ? one : many}`;
}

function milliseconds(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function short(ms) {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
