// What the npm package openai gets from the server at BASE_URL.
import OpenAI from "openai";
import { MODEL, QUESTION, RESULT, WEATHER, report } from "./reporting.mjs";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "any", maxRetries: 0 });
const messages = [{ role: "user", content: QUESTION }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [
  { type: "function", function: { name: "get_weather", description: "The weather in a city", parameters } },
];

await report({
  chat: async () => (await client.chat.completions.create({ model: MODEL, messages })).choices[0].message.content,
  stream: async () => {
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model: MODEL, messages, stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    return text;
  },
  json_schema: async () => {
    const form = { type: "json_schema", json_schema: { name: "city", strict: true, schema: parameters } };
    const reply = await client.chat.completions.create({
      model: MODEL, messages, response_format: form, max_tokens: 64,
    });
    return Object.keys(JSON.parse(reply.choices[0].message.content)).join();
  },
  "tool conversation": async () => {
    const weather = [{ role: "user", content: WEATHER }];
    const first = (await client.chat.completions.create({ model: MODEL, messages: weather, tools })).choices[0].message;
    const result = { role: "tool", tool_call_id: first.tool_calls[0].id, content: JSON.stringify(RESULT) };
    const said = [...weather, first, result];
    return (await client.chat.completions.create({ model: MODEL, messages: said, tools })).choices[0].message.content;
  },
  "models.retrieve": async () => (await client.models.retrieve(MODEL)).id,
});
