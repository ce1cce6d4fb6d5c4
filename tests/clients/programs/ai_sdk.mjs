// What the npm packages ai and @ai-sdk/openai-compatible get from the server at BASE_URL.
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { MODEL, QUESTION, RESULT, WEATHER, report } from "./reporting.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;
const base = { name: "phi", baseURL: process.env.BASE_URL };
const model = createOpenAICompatible({ ...base, includeUsage: true })(MODEL);
const able = createOpenAICompatible({ ...base, supportsStructuredOutputs: true })(MODEL);
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const schema = jsonSchema({ ...city, additionalProperties: false });
const tools = {
  get_weather: tool({
    description: "The weather in a city",
    inputSchema: jsonSchema(city),
    execute: async () => RESULT,
  }),
};
const limits = { maxRetries: 0, maxOutputTokens: 100 };

await report({
  generateText: async () => (await generateText({ model, prompt: QUESTION, ...limits })).text,
  streamText: async () => {
    const streamed = streamText({ model, prompt: QUESTION, ...limits });
    const text = await streamed.text;
    return (await streamed.usage).outputTokens > 0 ? text : "no usage";
  },
  "generateObject with structured outputs": async () => {
    const { object } = await generateObject({ model: able, schema, prompt: QUESTION, ...limits });
    return Object.keys(object).join();
  },
  "toolChoice required": async () => {
    const forced = { city: tool({ description: "Name a city.", inputSchema: schema }) };
    const done = await generateText({ model, tools: forced, toolChoice: "required", prompt: QUESTION, ...limits });
    return done.toolCalls[0].toolName;
  },
  "tool conversation": async () =>
    (await generateText({ model, tools, stopWhen: stepCountIs(2), prompt: WEATHER, ...limits })).text,
});
