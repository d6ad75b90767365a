/** Faces of a film: followed from frame to frame, with values that glide instead of jumping. */

// Time constants in seconds: after one of them, 63 % of a change are shown.
const BOX = 0.06;
const EMOTION = 0.35;
const LINGER = 0.4; // seconds for which a face stays that one frame or two did not show
const SAME = 0.25; // intersection over union from which two boxes are one face

export class Smoothing {
  #tracks = [];
  #named = 0;

  /** The faces to show at `now` (seconds), after `faces` were seen; each has an `id` that stays. */
  update(faces, now) {
    const free = new Set(this.#tracks);
    for (const face of faces) {
      const track = nearest(face.box, free);
      if (track) {
        free.delete(track);
        follow(track, face, now);
      } else {
        this.#tracks.push({ ...face, id: ++this.#named, seen: now, doubt: doubt(face) });
      }
    }
    this.#tracks = this.#tracks.filter((track) => now - track.seen < LINGER);
    return this.#tracks;
  }
}

function nearest(box, tracks) {
  let [best, most] = [null, SAME];
  for (const track of tracks) {
    const shared = overlap(box, track.box);
    if (shared > most) [best, most] = [track, shared];
  }
  return best;
}

function follow(track, face, now) {
  const elapsed = now - track.seen;
  const { box, emotion, doubt: doubted } = track;
  Object.assign(track, face, {
    box: glide(box, face.box, elapsed / BOX),
    emotion: glide(emotion, face.emotion, elapsed / EMOTION),
    doubt: doubted + part(elapsed / EMOTION) * (doubt(face) - doubted),
    seen: now,
  });
  track.uncertain = track.doubt > 0.5;
  const [label, value] = Object.entries(track.emotion).reduce((a, b) => (b[1] > a[1] ? b : a));
  track.dominant_emotion = label;
  track.confidence = value;
}

/** Each value of `from`, moved towards `to` as far as an exponential does in `time` constants. */
function glide(from, to, time) {
  const keys = Object.keys(to);
  return Object.fromEntries(
    keys.map((key) => [key, from[key] + part(time) * (to[key] - from[key])]),
  );
}

function part(time) {
  return 1 - Math.exp(-time);
}

function doubt({ uncertain }) {
  return uncertain ? 1 : 0;
}

function overlap(a, b) {
  const width = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.w * a.h + b.w * b.h - shared);
}
