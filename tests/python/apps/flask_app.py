"""Flask with what people use of it."""

import io

from flask import (Flask, abort, jsonify, make_response, redirect, request, send_file, session,
                   stream_with_context, url_for)

app = Flask(__name__)
app.secret_key = "for tests alone"


@app.route("/")
def hello():
    return "hello"


@app.route("/users/<int:number>")
def user(number):
    return jsonify(id=number, q=request.args.get("q"), url=request.url)


@app.post("/json")
def json():
    return request.get_json()


@app.post("/upload")
def upload():
    photo = request.files["photo"]
    return {"name": request.form["name"], "file": photo.filename, "size": len(photo.read())}


@app.post("/echo")
def echo():
    return request.get_data()


@app.post("/lines")
def lines():
    return jsonify([line.decode() for line in request.stream])


@app.route("/visits")
def visits():
    session["visits"] = session.get("visits", 0) + 1
    return jsonify(session["visits"])


@app.route("/stream")
def stream():
    def parts():
        yield request.args["q"]
        for number in range(3):
            yield f" {number}"

    return stream_with_context(parts()), {"Content-Type": "text/plain"}


@app.route("/file")
def file():
    return send_file(io.BytesIO(b"x" * 300_000), download_name="x.bin")


@app.route("/teapot")
def teapot():
    abort(418)


@app.route("/fails")
def fails():
    raise ValueError("as it should")


@app.errorhandler(404)
def missing(error):
    return make_response("not here", 404, {"x-missing": "1"})


@app.route("/to")
def to():
    return redirect(url_for("hello"))
