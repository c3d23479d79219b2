-- What bench/lua.py asks of weft: the same as nginx_lua.conf.
local app = require "weft".app()

app:get("/", function(c) c:text "Hello, World!" end)
app:get("/users/:id", function(c)
  local id = c:param "id"
  c:json { id = id, name = "user" .. id }
end)
