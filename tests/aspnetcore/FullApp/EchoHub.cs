using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Microsoft.AspNetCore.SignalR;

namespace FullApp
{
    public class EchoHub : Hub
    {
        /// <summary>Answers, and tells everybody.</summary>
        public async Task<string> Echo(string text)
        {
            await Clients.Caller.SendAsync("Heard", text);
            return "echo " + text;
        }

        public IAsyncEnumerable<int> Count(int to) => Enumerable.Range(1, to).ToAsyncEnumerable();
    }

    internal static class Sequences
    {
        public static async IAsyncEnumerable<int> ToAsyncEnumerable(this IEnumerable<int> numbers)
        {
            foreach (var number in numbers)
            {
                await Task.Yield();
                yield return number;
            }
        }
    }
}
