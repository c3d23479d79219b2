-- A guest book with a page that shows new notes as they come: `weft serve examples/lua/app.lua`.
local weft = require "weft"

local notes = weft.shared "notes" -- what all workers share
local app = weft.app()

app:use(weft.recover { json = true, http_errors = true }, weft.request_id())

-- Middleware is a function around the rest.
app:use(function(c, next)
  local began = os.clock()
  next()
  if not c:answer_is_sent() then
    c:set_header("X-Lua-Milliseconds", string.format("%.3f", (os.clock() - began) * 1000))
  end
end)

local api = app:group("/api", weft.body_limit(4096))

api:get("/notes", function(c)
  local list = weft.list {}
  for id = 1, notes:get "last" or 0 do
    list[#list + 1] = notes:get("note " .. id)
  end
  return c:json { notes = list }
end)

api:get("/notes/{id:int}", function(c)
  local note = notes:get("note " .. c:param "id")
  if not note then error { status = 404, message = "there is no such note" } end
  return c:json(note)
end)

api:post("/notes", function(c)
  local given = c:json_body()
  local text = type(given) == "table" and given.text
  if type(text) ~= "string" or text == "" then
    error { status = 422, message = "text: some words are wanted" }
  end
  local id = notes:incr("last", 1, 0)
  assert(notes:set("note " .. id, { id = id, text = text }))
  return c:status(201):json { id = id, text = text }
end)

-- New notes, until the client goes. Waiting holds up nobody.
api:get("/live", function(c)
  c:events(function(events)
    local seen = math.tointeger(tonumber(c:header("last-event-id", "0"))) or 0
    for _ = 1, math.tointeger(tonumber(c:query("most", "100000"))) or 0 do
      while (notes:get "last" or 0) <= seen do weft.sleep(0.1) end
      seen = seen + 1
      local note = notes:get("note " .. seen) or { id = seen, text = "" }
      events:send { event = "note", id = tostring(seen), data = weft.json.encode(note) }
    end
  end)
end)

app:files("/", "public")
app:listen(8080)
