using System.Text;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;

namespace FullApp
{
    /// <summary>Bodies of shapes of their own.</summary>
    internal static class Bodies
    {
        /// <summary>Frames its answer itself: in chunks, of which the last is left out with <c>?unfinished</c>.</summary>
        public static async Task Chunks(HttpContext context)
        {
            context.Response.Headers["Transfer-Encoding"] = "chunked";
            await context.Response.WriteAsync("5\r\nhello\r\n");
            await context.Response.Body.FlushAsync();
            if (!context.Request.Query.ContainsKey("unfinished"))
            {
                await context.Response.WriteAsync("0\r\n\r\n");
            }
        }

        /// <summary>Sends each piece back as it comes.</summary>
        public static async Task Echo(HttpContext context)
        {
            var buffer = new byte[64 * 1024];
            int count;
            while ((count = await context.Request.Body.ReadAsync(buffer, 0, buffer.Length)) > 0)
            {
                await context.Response.Body.WriteAsync(buffer, 0, count);
                await context.Response.Body.FlushAsync();
            }
        }

        /// <summary>Reads the body, and says how much that was and in how many reads.</summary>
        public static async Task Reads(HttpContext context)
        {
            var buffer = new byte[64 * 1024];
            var bytes = 0L;
            var reads = 0;
            int count;
            while ((count = await context.Request.Body.ReadAsync(buffer, 0, buffer.Length)) > 0)
            {
                bytes += count;
                reads++;
            }
            await context.Response.WriteJson(new { bytes, reads });
        }

        /// <summary>Writes so many bytes one by one, and nothing is flushed.</summary>
        public static async Task Writes(HttpContext context)
        {
            var count = int.Parse(context.Request.Query["count"]);
            var one = Encoding.ASCII.GetBytes("x");
            for (var written = 0; written < count; written++)
            {
                await context.Response.Body.WriteAsync(one, 0, 1);
            }
        }
    }
}
