// fasthttp on one P: plain text, and a JSON route with a parameter.
//
//	fasthttp PORT
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"runtime"

	"github.com/valyala/fasthttp"
)

type user struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func main() {
	runtime.GOMAXPROCS(1)
	hello := []byte("Hello, World!")
	users := []byte("/users/")
	server := &fasthttp.Server{
		Name: "fasthttp",
		Handler: func(c *fasthttp.RequestCtx) {
			path := c.Path()
			switch {
			case string(path) == "/":
				c.SetContentType("text/plain")
				c.SetBody(hello)
			case bytes.HasPrefix(path, users):
				id := string(path[len(users):])
				body, err := json.Marshal(user{id, "user" + id})
				if err != nil {
					c.Error(err.Error(), fasthttp.StatusInternalServerError)
					return
				}
				c.SetContentType("application/json")
				c.SetBody(body)
			default:
				c.NotFound()
			}
		},
	}
	log.Fatal(server.ListenAndServe("127.0.0.1:" + os.Args[1]))
}
