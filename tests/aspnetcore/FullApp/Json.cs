using System.Text.Json;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;

namespace FullApp
{
    internal static class Json
    {
        public static Task WriteJson(this HttpResponse response, object value)
        {
            response.ContentType = "application/json";
            return response.WriteAsync(JsonSerializer.Serialize(value));
        }
    }
}
