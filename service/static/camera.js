/** The camera: a stream in a video element, and frames of it as JPEGs. Nothing is recorded. */

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
const QUALITY = 0.85;

/** The camera cannot be had; `code` says why. */
export class NoCamera extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export class Camera {
  #video;
  #stream = null;
  #canvas = document.createElement("canvas");
  #drawing = this.#canvas.getContext("2d", { willReadFrequently: true });
  #fresh = false; // whether a frame came that nobody has waited for yet
  #onFresh = () => {};
  #callback = 0;

  constructor(video) {
    this.#video = video;
  }

  /** Size of the frames in pixels. */
  get size() {
    return { width: this.#video.videoWidth, height: this.#video.videoHeight };
  }

  /** A camera that looks at whoever sits before it is shown as a mirror would. */
  get mirrored() {
    return this.#stream?.getVideoTracks()[0].getSettings().facingMode !== "environment";
  }

  /**
   * Starts the camera; `onLost` is called if it goes away. Throws `NoCamera`, or the reason of
   * `signal` if that came first.
   */
  async open(onLost, signal) {
    const stream = await granted();
    if (signal.aborted) {
      end(stream); // it came too late: nothing on the page would tell that it is on
      throw signal.reason;
    }
    this.#stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", onLost);
    this.#video.srcObject = stream;
    this.#listen();
    try {
      await this.#video.play();
    } catch {
      signal.throwIfAborted();
      this.close();
      throw new NoCamera("camera_busy");
    }
  }

  /** Stops the camera; whoever waits for a frame waits no longer. */
  close() {
    this.#video.cancelVideoFrameCallback(this.#callback);
    this.#onFresh();
    if (this.#stream) end(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }

  /** Waits for a frame that nobody has waited for; in a hidden tab until it is shown again. */
  async nextFrame() {
    if (!this.#fresh) await new Promise((resolve) => (this.#onFresh = resolve));
    this.#fresh = false;
  }

  /** What the camera sees now. */
  frame() {
    const { width, height } = this.size;
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#drawing.drawImage(this.#video, 0, 0);
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", QUALITY));
  }

  #listen() {
    this.#callback = this.#video.requestVideoFrameCallback(() => {
      this.#fresh = true;
      this.#onFresh();
      this.#listen();
    });
  }
}

/** The stream of a camera, if there is one and people allow it: that may take them a while. */
async function granted() {
  if (!navigator.mediaDevices) throw new NoCamera("camera_insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: WANTED });
  } catch (error) {
    throw new NoCamera(REASONS[error.name] ?? "camera_busy");
  }
}

function end(stream) {
  for (const track of stream.getTracks()) track.stop();
}

const REASONS = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_missing",
  OverconstrainedError: "camera_missing",
};
