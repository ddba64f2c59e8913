/* A page that is opened as a file may start no worker. There, a hidden frame runs the worker of the search. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }))
      this.ready = new Promise((done) => {
        const script = inside.document.createElement("script")
        script.src = url
        script.onload = () => done(inside)
        inside.document.head.append(script)
      })
    }

    postMessage(data) {
      const copy = structuredClone(data)
      this.ready.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data: copy })))
    }
  }
}
