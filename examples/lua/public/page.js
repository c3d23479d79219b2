// Sends notes, and shows those that come.
const form = document.querySelector('#form');
const text = document.querySelector('#text');
const state = document.querySelector('#state');
const notes = document.querySelector('#notes');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const answer = await fetch('api/notes', {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({text: text.value}),
    });
    const said = await answer.json();
    state.textContent = answer.ok ? '' : said.error;
    if (answer.ok) text.value = '';
  } catch {
    state.textContent = 'The server cannot be reached.';
  }
});

const live = new EventSource('api/live');
live.addEventListener('note', (event) => {
  const item = document.createElement('li');
  item.textContent = JSON.parse(event.data).text;
  notes.append(item);
});
live.addEventListener('open', () => { state.textContent = ''; });
live.addEventListener('error', () => { state.textContent = 'Waiting for the server …'; });
