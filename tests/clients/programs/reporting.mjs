// What all programs of clients share: the questions, and how they tell what came of each feature.
export const MODEL = process.env.MODEL ?? "tiny-phi";
export const QUESTION = "What is the capital of France?";
export const WEATHER = "What is the weather in Paris?";
export const RESULT = { sky: "sunny", celsius: 21 };

export async function report(features) {
  for (const [feature, run] of Object.entries(features)) {
    try {
      console.log(JSON.stringify({ feature, came: await run() }));
    } catch (error) {
      console.log(JSON.stringify({ feature, failed: `${error.name}: ${error.message}`.slice(0, 600) }));
    }
  }
}
