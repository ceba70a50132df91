using System;
using System.Threading;
using Microsoft.AspNetCore.Builder;

namespace StockApp
{
    /// <summary>The stock app as the templates of .NET 6 and later begin one.</summary>
    public static class Program
    {
        public static int Main(string[] args)
        {
            if (Number("STARTUP_EXIT_CODE") is int code)
            {
                Console.Error.WriteLine("exiting at start, as STARTUP_EXIT_CODE says");
                return code;
            }
            Thread.Sleep(Number("STARTUP_DELAY_MS") ?? 0);
            var app = WebApplication.CreateBuilder(args).Build();
            new Startup().Configure(app);
            app.Run();
            return 0;
        }

        private static int? Number(string variable) =>
            int.TryParse(Environment.GetEnvironmentVariable(variable), out var number) ? number : (int?)null;
    }
}
