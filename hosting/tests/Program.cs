using System;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;

namespace Ancm.Hosting.Tests
{
    /// <summary>Runs every public method of the classes whose names end in "Tests".</summary>
    internal static class Program
    {
        public static async Task<int> Main(string[] arguments)
        {
            FakeNative.Install();
            var wanted = arguments.FirstOrDefault() ?? "";
            var failed = 0;
            var tests = typeof(Program).Assembly.GetTypes()
                .Where(type => type.Name.EndsWith("Tests", StringComparison.Ordinal))
                .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public))
                .Where(test => test.Name.Contains(wanted, StringComparison.Ordinal))
                .ToList();
            foreach (var test in tests)
            {
                failed += await Run(test) ? 0 : 1;
            }
            Console.WriteLine($"{tests.Count} tests, {failed} failed");
            return failed == 0 && tests.Count > 0 ? 0 : 1;
        }

        private static async Task<bool> Run(MethodInfo test)
        {
            try
            {
                if (test.Invoke(null, BindingFlags.DoNotWrapExceptions, null, null, null) is Task task)
                {
                    await task;
                }
                Console.WriteLine($"ok {test.DeclaringType!.Name}.{test.Name}");
                return true;
            }
            catch (Exception exception)
            {
                Console.WriteLine($"FAILED {test.DeclaringType!.Name}.{test.Name}: {exception}");
                return false;
            }
        }
    }
}
